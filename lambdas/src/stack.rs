//! What the environment of a function leads to: the part of the stack that is given to it.

use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use comanda_crds::judge::Judge;
use comanda_crds::{Capture, Stripe};
use comanda_saga::Identity;
use comanda_steps::adapters::dynamodb::{ContactKey, DynamoCatalogue, DynamoLedger};
use comanda_steps::adapters::iot_data::IotData;
use comanda_steps::adapters::sns::SnsNotifier;
use comanda_steps::adapters::sqs::SqsOutbox;
use comanda_steps::adapters::stepfunctions::StepFunctions;
use comanda_steps::adapters::stripe::webhook::SigningSecrets;
use comanda_steps::adapters::{self, aws};
use comanda_steps::contract::Wake;
use comanda_steps::ports::{PaymentRules, Payments, Wakes};

use crate::failure::Failure;
use crate::handlers::Settings;
use crate::secrets::Secrets;

/// The services of a function. What its environment does not name, it does not have.
pub struct Stack {
    dynamodb: aws_sdk_dynamodb::Client,
    ledger_table: String,
    contact_key: Option<String>,
    stripe_key: Option<String>,
    secrets: Secrets,
    payments: Mutex<Option<Provider>>,
    account: Option<AccountSettings>,
    /// Tells the operator to look at an order.
    pub wakes: Option<SqsOutbox>,
    /// Announces orders that came over HTTP.
    pub announcements: Option<SqsOutbox>,
    /// Prices and availability.
    pub catalogue: Option<DynamoCatalogue>,
    /// Messages to customers.
    pub notifier: SnsNotifier,
    /// Commands to kitchens and couriers.
    pub devices: Option<IotData>,
    /// Ends waits.
    pub executions: StepFunctions,
}

/// What is given of the account of an installation, to whoever does not know the order yet.
struct AccountSettings {
    installation: String,
    url: String,
    /// The ARN of their secret.
    signing_secrets: String,
}

/// The account that an installation has at its payment provider.
pub struct Account<'a> {
    /// The installation.
    pub installation: &'a str,
    /// The provider.
    pub payments: Arc<dyn Payments>,
    /// What is known of it.
    pub payment_rules: &'static dyn PaymentRules,
    /// What its events are signed with.
    pub signing_secrets: SigningSecrets,
}

/// The payment provider that was used last. Its connections are kept from call to call.
struct Provider {
    class: comanda_crds::Payments,
    key: String,
    payments: Arc<dyn Payments>,
}

impl Stack {
    /// The stack that the environment names: `lambdas/README.md`.
    ///
    /// # Errors
    /// When the environment lacks what every function is given.
    pub async fn from_environment() -> Result<Self, String> {
        let config = aws::config(None).await;
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        let catalogue = env::var("CATALOGUE_TABLE").ok();
        let devices = env::var("IOT_DATA_ENDPOINT").ok().map(|endpoint| {
            let url = if endpoint.contains("://") { endpoint } else { format!("https://{endpoint}") };
            let client = aws_sdk_iotdataplane::config::Builder::from(&config).endpoint_url(url).build();
            IotData::new(aws_sdk_iotdataplane::Client::from_conf(client))
        });
        let queue =
            |name| env::var(name).ok().map(|url| SqsOutbox::new(aws_sdk_sqs::Client::new(&config), url));
        let account = match env::var("STRIPE_WEBHOOK_SECRET_ARN") {
            Ok(signing_secrets) => Some(AccountSettings {
                installation: variable("INSTALLATION")?,
                url: variable("STRIPE_URL")?,
                signing_secrets,
            }),
            Err(_) => None,
        };
        Ok(Self {
            ledger_table: variable("LEDGER_TABLE")?,
            contact_key: env::var("CONTACT_KEY_SECRET_ARN").ok(),
            stripe_key: env::var("STRIPE_SECRET_ARN").ok(),
            secrets: Secrets::new(aws_sdk_secretsmanager::Client::new(&config)),
            payments: Mutex::default(),
            account,
            wakes: queue("WAKE_QUEUE_URL"),
            announcements: queue("INTAKE_QUEUE_URL"),
            catalogue: catalogue.map(|table| DynamoCatalogue::new(dynamodb.clone(), table)),
            notifier: SnsNotifier::new(aws_sdk_sns::Client::new(&config)),
            devices,
            executions: StepFunctions::new(aws_sdk_sfn::Client::new(&config)),
            dynamodb,
        })
    }

    /// The ledger, which reads customers where the function has the contact key.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub async fn ledger(&self) -> Result<DynamoLedger, Failure> {
        let key = match &self.contact_key {
            Some(arn) => {
                let key = ContactKey::from_base64(&self.secrets.text(arn).await?);
                Some(key.map_err(|error| Failure::Transient(format!("the secret {arn}: {error}")))?)
            }
            None => None,
        };
        Ok(DynamoLedger::new(self.dynamodb.clone(), self.ledger_table.clone(), key))
    }

    /// The payment provider of a class; none where the function has no key.
    ///
    /// # Errors
    /// When the key cannot be read or used.
    pub async fn payments(
        &self,
        class: &comanda_crds::Payments,
    ) -> Result<Option<Arc<dyn Payments>>, Failure> {
        let Some(arn) = &self.stripe_key else { return Ok(None) };
        let key = self.secrets.text(arn).await?;
        let mut provider = self.payments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = provider.as_ref().filter(|known| known.class == *class && known.key == key) {
            return Ok(Some(Arc::clone(&known.payments)));
        }
        let payments =
            adapters::payments(class, &key).map_err(|error| Failure::Transient(error.to_string()))?;
        *provider = Some(Provider { class: class.clone(), key, payments: Arc::clone(&payments) });
        Ok(Some(payments))
    }

    /// The account of the installation.
    ///
    /// # Errors
    /// When it cannot be read or used, or is not given to the function.
    pub async fn account(&self) -> Result<Account<'_>, Failure> {
        let missing = |what: &str| Failure::Defect(format!("{what} is not set"));
        let given = self.account.as_ref().ok_or_else(|| missing("STRIPE_WEBHOOK_SECRET_ARN"))?;
        let AccountSettings { installation, url, signing_secrets: arn } = given;
        let signing_secrets = SigningSecrets::read(&self.secrets.text(arn).await?);
        let signing_secrets =
            signing_secrets.map_err(|error| Failure::Transient(format!("the secret {arn}: {error}")))?;
        let stripe = Stripe { secret_key: None, url: url.clone(), return_url: None, webhook: None };
        let class = comanda_crds::Payments { stripe, capture: Capture::default() };
        let payments = self.payments(&class).await?.ok_or_else(|| missing("STRIPE_SECRET_ARN"))?;
        let payment_rules = adapters::payment_rules(&class);
        Ok(Account { installation, payments, payment_rules, signing_secrets })
    }

    /// Has the operator look at an order.
    ///
    /// # Errors
    /// When the queue does not take it.
    pub async fn tell(&self, identity: &Identity, execution: &str) -> Result<(), Failure> {
        let Some(wakes) = &self.wakes else { return Ok(()) };
        Ok(wakes.send(&Wake::by(identity, execution)).await?)
    }
}

/// How the intake is set up.
///
/// # Errors
/// When the environment lacks what the intake is given.
pub fn intake() -> Result<Settings, String> {
    Ok(Settings {
        installation: variable("INSTALLATION")?,
        tenant: variable("TENANT")?,
        class_name: variable("ORDER_CLASS")?,
        judge: Judge::new(),
    })
}

/// A variable that a function cannot do without.
///
/// # Errors
/// When it is not set.
pub fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set"))
}
