//! Scenes about customers' data as people, wallets and address services write it.

use anyhow::{Context, Result, ensure};
use comanda_crds::{Address, Doubts, Inline, OrderStatus, Phase, SecretRef};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};

use comanda_e2e::world::{CLASS, SOON, Shop, World, canary, condition};

/// See `e2e/data/NOTICE`.
const CUSTOMERS: &str = include_str!("../../data/customers.yaml");

#[derive(Deserialize)]
struct Customers {
    phones: Verdicts<Number>,
    emails: Verdicts<String>,
    addresses: Verdicts<AddressForm>,
}

#[derive(Deserialize)]
struct Verdicts<T> {
    #[serde(default = "Vec::new")]
    accept: Vec<T>,
    #[serde(default = "Vec::new")]
    doubt: Vec<T>,
    #[serde(default = "Vec::new")]
    refuse: Vec<T>,
}

#[derive(Deserialize)]
struct Number {
    country: String,
    phone: String,
    e164: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddressForm {
    country: String,
    postal_code: Option<String>,
    administrative_area: Option<String>,
    locality: Option<String>,
    lines: Vec<String>,
}

/// What becomes of an order, by the class that takes doubts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Accept,
    Doubt,
    Refuse,
}

struct Case {
    name: String,
    customer: Inline,
    verdict: Verdict,
    /// What messages and couriers call.
    e164: Option<String>,
}

/// An address of the country that holds.
fn at_home(country: &str) -> Address {
    let (postal_code, area, locality) = match country {
        "IT" => ("00184", "RM", "Roma"),
        "BR" => ("01310-100", "SP", "São Paulo"),
        "NO" => ("0159", "", "Oslo"),
        "KR" => ("04524", "서울특별시", "중구"),
        "RU" => ("191186", "Санкт-Петербург", "Санкт-Петербург"),
        "JP" => ("100-0001", "東京都", "千代田区"),
        "FR" => ("75001", "", "Paris"),
        "MX" => ("06000", "CDMX", "Ciudad de México"),
        _ => ("28014", "Madrid", "Madrid"),
    };
    let field = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Address {
        country: country.to_owned(),
        postal_code: field(postal_code),
        administrative_area: field(area),
        locality: field(locality),
        dependent_locality: None,
        lines: vec!["Canarystraat 7".to_owned()],
    }
}

impl<T> Verdicts<T> {
    fn all(self) -> impl Iterator<Item = (T, Verdict)> {
        let of = |verdict| move |case| (case, verdict);
        let accept = self.accept.into_iter().map(of(Verdict::Accept));
        let doubt = self.doubt.into_iter().map(of(Verdict::Doubt));
        accept.chain(doubt).chain(self.refuse.into_iter().map(of(Verdict::Refuse)))
    }
}

fn cases() -> Result<Vec<Case>> {
    let Customers { phones, emails, addresses } = serde_yaml::from_str(CUSTOMERS)?;
    let mut cases = Vec::new();
    let mut add = |kind: &str, customer, verdict, e164| {
        let name = format!("{kind}-{}", cases.len());
        cases.push(Case { name, customer, verdict, e164 });
    };
    for (Number { country, phone, e164 }, verdict) in phones.all() {
        add("phone", Inline { phone, address: at_home(&country), ..canary() }, verdict, e164);
    }
    for (email, verdict) in emails.all() {
        add("email", Inline { email, ..canary() }, verdict, None);
    }
    for (form, verdict) in addresses.all() {
        let AddressForm { country, postal_code, administrative_area, locality, lines } = form;
        let address =
            Address { country, postal_code, administrative_area, locality, dependent_locality: None, lines };
        add("address", Inline { address, ..canary() }, verdict, None);
    }
    Ok(cases)
}

fn validated(status: &OrderStatus) -> (&str, &str) {
    let found = status.conditions.iter().find(|condition| condition.type_ == "Validated");
    found.map_or(("", ""), |condition| (condition.reason.as_str(), condition.message.as_str()))
}

fn check(case: &Case, status: &OrderStatus) -> Result<(), String> {
    let (reason, message) = validated(status);
    let expected = match case.verdict {
        Verdict::Accept => (Phase::Delivered, "Succeeded"),
        Verdict::Doubt => (Phase::Delivered, "SucceededWithDoubts"),
        Verdict::Refuse => (Phase::Rejected, "InvalidCustomer"),
    };
    if (status.phase, reason) != expected {
        return Err(format!("{}: {:?} with {reason}, not {expected:?}: {message}", case.name, status.phase));
    }
    Ok(())
}

pub async fn every_customer_of_the_list_is_taken_doubted_or_refused(world: &World) -> Result<()> {
    let shop = world.namespace("customers").await?;
    let cases = cases()?;
    for case in &cases {
        shop.order(&case.name, |spec| spec.customer.inline = Some(case.customer.clone())).await?;
    }
    let mut wrong = Vec::new();
    for case in &cases {
        let status = shop.until_final(&case.name, SOON).await?;
        wrong.extend(check(case, &status).err());
    }
    ensure!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let snapshot = shop.snapshot().await?;
    for case in cases.iter().filter(|case| case.verdict != Verdict::Refuse) {
        let message = snapshot.messages(&case.name).first().context("a message")?;
        let courier = snapshot
            .journal(&case.name)
            .iter()
            .find(|line| line["command"]["command"] == "assigned")
            .context("a command to the courier")?;
        let (told, sent) = (&message["recipient"]["phone"], &courier["command"]["recipient"]["phone"]);
        ensure!(told == sent, "{}: the message goes to {told}, the courier calls {sent}", case.name);
        let phone = told.as_str().unwrap_or_default();
        ensure!(phone.starts_with('+') && phone[1..].bytes().all(|byte| byte.is_ascii_digit()), "{phone}");
        if let Some(e164) = &case.e164 {
            ensure!(phone == e164, "{}: {phone} is not {e164}", case.name);
        }
    }
    Ok(())
}

pub async fn a_class_may_refuse_what_is_in_doubt(world: &World) -> Result<()> {
    let shop = world.namespace("strict").await?;
    let mut class =
        world.installation.class_spec(comanda_e2e::world::timeouts(), comanda_crds::Capture::WhenReady);
    class.validation.doubts = Doubts::Refuse;
    world.installation.apply_class("strict", class).await?;
    let doubtful =
        cases()?.into_iter().find(|case| case.verdict == Verdict::Doubt).context("a doubtful case")?;
    for (class, phase) in [(CLASS, Phase::Delivered), ("strict", Phase::Rejected)] {
        shop.order(class, |spec| {
            spec.class_name = class.to_owned();
            spec.customer.inline = Some(doubtful.customer.clone());
        })
        .await?;
        let status = shop.until_final(class, SOON).await?;
        ensure!(status.phase == phase, "{class}: {status:#?}");
        let (_, message) = validated(&status);
        ensure!(message.contains("phone") && !message.contains(&doubtful.customer.phone[1..]), "{message}");
    }
    shop.order("certain", |spec| spec.class_name = "strict".to_owned()).await?;
    shop.until_phase("certain", Phase::Delivered).await?;
    Ok(())
}

async fn from_secret(shop: &Shop<'_>, order: &str, customer: Vec<u8>) -> Result<()> {
    let secrets: Api<Secret> =
        Api::namespaced(shop.world.installation.stack.kubernetes.client(), &shop.namespace);
    let secret = Secret {
        metadata: ObjectMeta { name: Some(order.to_owned()), ..ObjectMeta::default() },
        data: Some([("customer".to_owned(), ByteString(customer))].into()),
        ..Secret::default()
    };
    secrets.create(&PostParams::default(), &secret).await?;
    shop.order(order, |spec| {
        spec.customer.inline = None;
        spec.customer.secret_ref = Some(SecretRef { name: order.to_owned() });
    })
    .await?;
    Ok(())
}

pub async fn a_customer_from_a_secret_has_the_bounds_of_an_inline_one(world: &World) -> Result<()> {
    let shop = world.namespace("bounds").await?;
    let text = serde_json::to_string(&canary())?;
    from_secret(&shop, "marked", format!("\u{FEFF}{text}").into_bytes()).await?;
    from_secret(&shop, "wide", text.encode_utf16().flat_map(u16::to_le_bytes).collect()).await?;
    let long = Inline { name: "K".repeat(150_000), ..canary() };
    from_secret(&shop, "long", serde_json::to_vec(&long)?).await?;

    shop.until_phase("marked", Phase::Delivered).await?;
    let status = shop.until("wide", SOON, |status| status.reason.is_some()).await?;
    ensure!(condition(&status, "Accepted") == Some(("False", "CustomerNotFound")), "{status:#?}");
    ensure!(status.conditions[0].message.contains("UTF-16"), "{}", status.conditions[0].message);
    let status = shop.until_final("long", SOON).await?;
    let (reason, message) = validated(&status);
    ensure!((status.phase, reason) == (Phase::Rejected, "InvalidCustomer"), "{status:#?}");
    ensure!(message == "The customer's name has more than 120 letters: shorten it.", "{message}");
    shop.expect("long", "Rejected", "none", "rejected", "none").await?;
    let message = serde_json::to_string(shop.snapshot().await?.messages("long"))?;
    ensure!(message.len() < 4000, "the message has {} bytes", message.len());
    Ok(())
}

pub async fn an_article_that_cannot_be_read_ends_its_orders_and_no_others(world: &World) -> Result<()> {
    let shop = world.market("unreadable").await?;
    let aws = &world.installation.stack.aws;
    let entry = |sku: &str, attributes: Value| {
        let mut entry = json!({
            "pk": format!("{}/{}#{sku}", comanda_e2e::installation::INSTALLATION, comanda_e2e::world::STORE),
            "price": 1850, "currency": "EUR", "stock": 9, "available": true,
        });
        for (name, value) in attributes.as_object().into_iter().flatten() {
            entry[name] = value.clone();
        }
        entry
    };
    for (sku, attributes) in [
        ("price-in-words", json!({"price": "nine"})),
        ("price-as-text", json!({"price": "1850"})),
        ("half-a-stock", json!({"stock": 0.5})),
        ("stock-as-text", json!({"stock": "9"})),
    ] {
        let item = serde_dynamo::to_item(entry(sku, attributes))?;
        let table = &aws.resources().catalogue_table;
        aws.dynamodb().put_item().table_name(table).set_item(Some(item)).send().await?;
        shop.order(sku, |spec| spec.items[0].sku = sku.to_owned()).await?;
        let status = shop.until_final(sku, SOON).await?;
        ensure!(status.reason.as_deref() == Some("Unavailable"), "{status:#?}");
        let (_, message) = validated(&status);
        ensure!(message.contains(&format!("does not sell {sku} until its entry")), "{message}");
    }
    shop.order("other", |_| {}).await?;
    shop.until_phase("other", Phase::Delivered).await?;
    shop.expect_consumed(1).await
}
