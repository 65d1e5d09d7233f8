//! The services a class names: built once, from the class and the Secrets of the operator's namespace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_config::{Region, SdkConfig};
use comanda_crds::{OrderClassSpec, SecretKeyRef};
use comanda_steps::adapters;
use comanda_steps::adapters::dynamodb::{ContactKey, DynamoCatalogue, DynamoLedger};
use comanda_steps::adapters::iot::{Incoming, IotDevices, IotSettings, Pem};
use comanda_steps::adapters::sns::SnsNotifier;
use comanda_steps::adapters::stripe::webhook::SigningSecrets;
use comanda_steps::calls;
use comanda_steps::devices::{client_id, event_filters};
use comanda_steps::ports::{Catalogue, Devices, Ledger, Notifier, PaymentRules, Payments};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::executor::{Executor, Queue, Queues};

/// The ports of one class, connected. What its class delegates altogether may be the functions' alone.
pub struct Services {
    /// The system of record.
    pub ledger: Arc<dyn Ledger>,
    /// Prices and availability.
    pub catalogue: Arc<dyn Catalogue>,
    /// What is known of the payment provider.
    pub payment_rules: &'static dyn PaymentRules,
    /// The payment provider.
    pub payments: Option<Arc<dyn Payments>>,
    /// Messages to customers.
    pub notifier: Arc<dyn Notifier>,
    /// Commands to kitchens and couriers, and the connection to their broker.
    pub broker: Option<Arc<IotDevices>>,
    /// Step Functions; none of a class that delegates nothing.
    pub executor: Option<Executor>,
}

impl Services {
    /// What the steps speak to.
    pub fn for_steps(&self) -> calls::Services<'_> {
        calls::Services {
            ledger: &*self.ledger,
            catalogue: Some(&*self.catalogue),
            payment_rules: self.payment_rules,
            payments: self.payments.as_deref(),
            notifier: Some(&*self.notifier),
            devices: self.broker.as_deref().map(|broker| broker as &dyn Devices),
            executions: self.executor.as_ref().map(|executor| &*executor.executions),
        }
    }
}

/// What a broker brings in, with the class's installation and ledger to keep it in.
pub struct Connection {
    /// The messages; none when the connection is given up.
    pub messages: mpsc::Receiver<Incoming>,
    /// First level of the class's topics.
    pub topic_prefix: String,
    /// The class's installation.
    pub installation: String,
    /// Where events are kept before they are acknowledged.
    pub ledger: Arc<dyn Ledger>,
}

/// The services of every class in use.
pub struct Pool {
    aws: SdkConfig,
    namespace: String,
    cluster: String,
    secrets: Store<Secret>,
    connections: mpsc::UnboundedSender<Connection>,
    connected: mpsc::UnboundedSender<()>,
    built: Mutex<HashMap<OrderClassSpec, Built>>,
    brokers: Mutex<HashMap<String, Broker>>,
    queues: Queues,
}

/// A connection, and what it was made of.
struct Broker {
    aws: Option<comanda_crds::Aws>,
    devices: comanda_crds::Devices,
    ledger: comanda_crds::Ledger,
    certificate: Option<String>,
    connection: Weak<IotDevices>,
}

/// Services, and the versions of the Secrets they were built from.
struct Built {
    secrets: Vec<Option<String>>,
    services: Arc<Services>,
}

impl Pool {
    /// A pool that calls AWS with `aws`, reads Secrets of `namespace` from the cache `secrets`, goes to brokers by the
    /// name of `cluster`, hands each connection that it makes to `connections`, tells `connected` each time that one
    /// stands, and has the wake queues among `queues`.
    pub fn new(
        aws: SdkConfig,
        namespace: String,
        cluster: String,
        secrets: Store<Secret>,
        connections: mpsc::UnboundedSender<Connection>,
        connected: mpsc::UnboundedSender<()>,
        queues: Queues,
    ) -> Self {
        let (built, brokers) = (Mutex::default(), Mutex::default());
        Self { aws, namespace, cluster, secrets, connections, connected, built, brokers, queues }
    }

    /// The services of a class. They are built anew when one of the class's Secrets changed.
    pub fn of(&self, class: &OrderClassSpec) -> Result<Arc<Services>, Error> {
        let secrets = secret_names(class)
            .into_iter()
            .map(|name| Ok(self.secret(name)?.metadata.resource_version.clone()))
            .collect::<Result<Vec<_>, Error>>()?;
        let key = unchanging(class);
        let mut built = lock(&self.built);
        if let Some(built) = built.get(&key).filter(|built| built.secrets == secrets) {
            return Ok(Arc::clone(&built.services));
        }
        let services = Arc::new(self.build(class)?);
        built.insert(key, Built { secrets, services: Arc::clone(&services) });
        Ok(services)
    }

    /// What the events of the class's payment provider are signed with; none where they do not come in here. Orders do not
    /// wait for it.
    ///
    /// # Errors
    /// When the Secret cannot be used.
    pub fn signing_secrets(&self, class: &OrderClassSpec) -> Result<Option<SigningSecrets>, Error> {
        let reference =
            class.payments.stripe.webhook.as_ref().and_then(|webhook| webhook.signing_secret.as_ref());
        let Some(reference) = reference else { return Ok(None) };
        let secrets = SigningSecrets::read(&self.value(reference)?);
        secrets.map(Some).map_err(|error| {
            let SecretKeyRef { secret_name, key } = reference;
            Error::Class(format!("the key {key} of the Secret {}/{secret_name}: {error}", self.namespace))
        })
    }

    /// Drops the services of a class that is gone.
    pub fn forget(&self, class: &OrderClassSpec) {
        lock(&self.built).remove(&unchanging(class));
    }

    /// The configuration by which a class calls AWS.
    pub fn aws(&self, class: &OrderClassSpec) -> SdkConfig {
        match &class.aws {
            Some(aws) => self.aws.clone().into_builder().region(Region::new(aws.region.clone())).build(),
            None => self.aws.clone(),
        }
    }

    /// A wake queue, which is received from while it is held.
    pub fn wake_queue(
        &self,
        class: &OrderClassSpec,
        url: &str,
        ledger: &Arc<dyn Ledger>,
    ) -> Result<Arc<Queue>, Error> {
        self.queues.queue(class, url, &self.aws(class), ledger)
    }

    fn build(&self, class: &OrderClassSpec) -> Result<Services, Error> {
        let aws = self.aws(class);
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        let contact_key =
            ContactKey::from_base64(&self.value(&class.ledger.contact_key)?).map_err(class_error)?;
        let ledger: Arc<dyn Ledger> =
            Arc::new(DynamoLedger::new(dynamodb.clone(), class.ledger.table.clone(), contact_key));
        let payments = adapters::payment_key(&class.payments)
            .map(|key| adapters::payments(&class.payments, &self.value(key)?).map_err(class_error))
            .transpose()?;
        let certificate = class.devices.certificate.as_ref();
        let broker = certificate
            .map(|certificate| self.broker(class, &certificate.secret_name, &ledger))
            .transpose()?;
        let executor = self.queues.executor(class, &aws, &ledger)?;
        Ok(Services {
            ledger,
            catalogue: Arc::new(DynamoCatalogue::new(dynamodb, class.catalogue.table.clone())),
            payment_rules: adapters::payment_rules(&class.payments),
            payments,
            notifier: Arc::new(SnsNotifier::new(aws_sdk_sns::Client::new(&aws))),
            broker,
            executor,
        })
    }

    /// The connection to the class's broker. Classes that differ in something else share it: a second
    /// client with the same id would evict the first, for ever.
    fn broker(
        &self,
        class: &OrderClassSpec,
        name: &str,
        ledger: &Arc<dyn Ledger>,
    ) -> Result<Arc<IotDevices>, Error> {
        let client_id = client_id(&class.installation, &class.devices.topic_prefix, &self.cluster);
        let certificate = self.secret(name)?.metadata.resource_version.clone();
        let mut brokers = lock(&self.brokers);
        if let Some((standing, connection)) =
            brokers.get(&client_id).and_then(|standing| Some((standing, standing.connection.upgrade()?)))
        {
            if (&standing.aws, &standing.devices, &standing.ledger)
                != (&class.aws, &class.devices, &class.ledger)
            {
                return Err(Error::Class(format!(
                    "another class of installation {} has the topic prefix {} with another region, ledger or broker; \
                     use another installation or prefix",
                    class.installation, class.devices.topic_prefix
                )));
            }
            if standing.certificate == certificate {
                return Ok(connection);
            }
        }
        let pem = |key: &str| self.value(&SecretKeyRef { secret_name: name.to_owned(), key: key.to_owned() });
        let (broker, messages) = IotDevices::connect(IotSettings {
            endpoint: class.devices.endpoint.clone(),
            client_id: client_id.clone(),
            pem: Pem { certificate: pem("tls.crt")?, key: pem("tls.key")?, authority: pem("ca.crt")? },
            filters: event_filters(&class.devices.topic_prefix, &class.installation),
        })
        .map_err(class_error)?;
        // The receiver goes when the controllers stop.
        let _ = self.connections.send(Connection {
            messages,
            topic_prefix: class.devices.topic_prefix.clone(),
            installation: class.installation.clone(),
            ledger: Arc::clone(ledger),
        });
        let (mut standing, connected) = (broker.connected(), self.connected.clone());
        tokio::spawn(async move {
            while standing.changed().await.is_ok() {
                if standing.borrow_and_update().is_ok() && connected.send(()).is_err() {
                    return;
                }
            }
        });
        let broker = Arc::new(broker);
        let standing = Broker {
            aws: class.aws.clone(),
            devices: class.devices.clone(),
            ledger: class.ledger.clone(),
            certificate,
            connection: Arc::downgrade(&broker),
        };
        brokers.insert(client_id, standing);
        Ok(broker)
    }

    fn value(&self, reference: &SecretKeyRef) -> Result<String, Error> {
        let secret = self.secret(&reference.secret_name)?;
        let bytes = secret.data.as_ref().and_then(|data| data.get(&reference.key)).ok_or_else(|| {
            Error::Class(format!(
                "the Secret {}/{} has no key {}",
                self.namespace, reference.secret_name, reference.key
            ))
        })?;
        String::from_utf8(bytes.0.clone()).map_err(|_| {
            Error::Class(format!(
                "the key {} of the Secret {}/{} is not text",
                reference.key, self.namespace, reference.secret_name
            ))
        })
    }

    fn secret(&self, name: &str) -> Result<Arc<Secret>, Error> {
        self.secrets
            .get(&ObjectRef::new(name).within(&self.namespace))
            .ok_or_else(|| Error::Class(format!("the Secret {}/{name} does not exist", self.namespace)))
    }
}

/// The Secrets a class names.
pub fn secret_names(class: &OrderClassSpec) -> Vec<&str> {
    let payment_key = adapters::payment_key(&class.payments).map(|key| &*key.secret_name);
    let certificate = class.devices.certificate.as_ref().map(|certificate| &*certificate.secret_name);
    [Some(&*class.ledger.contact_key.secret_name), payment_key, certificate].into_iter().flatten().collect()
}

/// What of a class cannot change: all that decides about connections.
fn unchanging(class: &OrderClassSpec) -> OrderClassSpec {
    OrderClassSpec {
        timeouts: comanda_crds::Timeouts::default(),
        retries: comanda_crds::Retries::default(),
        suspend: false,
        max_live_orders: None,
        ..class.pinned()
    }
}

fn class_error(error: impl std::fmt::Display) -> Error {
    Error::Class(error.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
