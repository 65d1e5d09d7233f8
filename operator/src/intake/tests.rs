use std::sync::Mutex;
use std::time::Duration;

use comanda_crds::{OrderSpec, OrderStatus, Phase};
use comanda_saga::Identity;
use comanda_steps::intake::{Announcement, Caller, Sent, UNWRITTEN};
use comanda_steps::ports::Received;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher;
use serde_json::json;

use super::reader::Verdict;
use super::*;
use crate::inbox::tests::{OneOrder, Queue};
use crate::memory::tests::executed;
use crate::orders::tests::Objects;

/// An id as the intake makes it; the one order of the ledger has it.
const ID: &str = "0123456789abcdef0123456789abcdef";

fn spec(class: &str) -> OrderSpec {
    serde_json::from_value(json!({
        "className": class,
        "customer": {"ledger": {}},
        "store": "centro",
        "items": [{"sku": "paella", "quantity": 1}],
        "currency": "EUR",
        "payment": {"paymentMethod": "pm_card_visa"},
    }))
    .expect("a spec")
}

/// An order of this class, as it was sent.
pub fn sent(class: &str) -> Sent {
    Sent { caller: Caller::of("i", "ana"), spec: spec(class), at: Timestamp::UNIX_EPOCH, cancel: None }
}

/// An object of this name.
pub fn order(name: &str) -> Order {
    let mut order = Order::new(name, spec("demo"));
    order.metadata.namespace = Some("shop".to_owned());
    order
}

fn class(change: &serde_json::Value) -> OrderClass {
    let mut class = json!({
        "apiVersion": "comanda.dev/v1alpha1", "kind": "OrderClass", "metadata": {"name": "demo"},
        "spec": executed().class,
    });
    for (field, value) in change.as_object().expect("fields") {
        class["spec"][field] = value.clone();
    }
    serde_json::from_value(class).expect("a class")
}

struct Scene {
    reader: Reader,
    queue: Arc<Queue>,
    objects: Arc<Objects>,
    classes: Writer<OrderClass>,
    orders: Writer<Order>,
}

fn scene(ledger: OneOrder, objects: Objects) -> Scene {
    let (queue, objects) = (Arc::new(Queue::default()), Arc::new(objects));
    let ((classes_store, mut classes), (orders_store, orders)) = (reflector::store(), reflector::store());
    classes.apply_watcher_event(&watcher::Event::Apply(class(&json!({"maxLiveOrders": 2}))));
    let (answers, _) = watch::channel(Ok(()));
    let reader = Reader {
        class: "demo".to_owned(),
        installation: "bistro".to_owned(),
        intake: Intake {
            queue_url: "https://sqs.eu-west-1.amazonaws.com/123456789012/intake".to_owned(),
            wake_queue_url: None,
            namespace: "shop".to_owned(),
            ttl_seconds_after_finished: 60,
        },
        inbox: queue.clone(),
        ledger: Arc::new(ledger),
        api: objects.clone(),
        classes: classes_store,
        orders: orders_store,
        orders_listed: watch::channel(true).1,
        metrics: Arc::new(Metrics::new().expect("metrics")),
        answers,
        stop: CancellationToken::new(),
    };
    Scene { reader, queue, objects, classes, orders }
}

fn written(sent: Sent) -> OneOrder {
    OneOrder { sent: Some(sent), ..OneOrder::default() }
}

fn announced(id: &str, ago: SignedDuration) -> Received {
    let identity =
        Identity { installation: "bistro".to_owned(), tenant: "shop".to_owned(), order_id: id.to_owned() };
    let body = serde_json::to_string(&Announcement::of(&identity)).expect("strings serialise");
    Received { body, receipt: id.to_owned(), times: 1, sent_at: Timestamp::now() - ago }
}

fn now(id: &str) -> Received {
    announced(id, SignedDuration::ZERO)
}

#[tokio::test]
async fn an_order_gets_its_object_with_the_customer_left_in_the_ledger() {
    let scene = scene(written(sent("demo")), Objects::default());
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Made(ID.to_owned()));
    let made = scene.objects.made.lock().expect("whole").clone();
    assert_eq!(
        (made.len(), made[0].name_any(), made[0].namespace()),
        (1, ID.to_owned(), Some("shop".to_owned()))
    );
    assert!(made[0].spec.customer.ledger.is_some() && made[0].spec.customer.inline.is_none());
    assert_eq!(made[0].spec.ttl_seconds_after_finished, Some(60));
}

#[tokio::test]
async fn an_order_that_is_announced_again_gets_no_second_object() {
    let scene = scene(written(sent("demo")), Objects::default());
    for _ in 0..3 {
        assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Made(ID.to_owned()));
    }
    assert_eq!(scene.objects.made.lock().expect("whole").len(), 1);
    let claimed = OneOrder { record: Some(executed()), ..written(sent("demo")) };
    let scene = self::scene(claimed, Objects::default());
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Known, "it may be over, and its object gone");
    assert!(scene.objects.made.lock().expect("whole").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_written_a_moment_after_its_message_came_is_made_at_once() {
    let scene = scene(OneOrder { written_after: 3, ..written(sent("demo")) }, Objects::default());
    let begun = tokio::time::Instant::now();
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Made(ID.to_owned()));
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_not_written_is_waited_for_two_minutes_by_the_queues_clock_too() {
    let scene = scene(OneOrder::default(), Objects::default());
    let late = announced(ID, UNWRITTEN + SignedDuration::from_secs(5));
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Unwritten);
    assert_eq!(scene.reader.judge(&late).await, Verdict::Unwritten, "the clock here may be fast");
    let often = |received: Received| Received { times: 6, ..received };
    assert_eq!(scene.reader.judge(&often(now(ID))).await, Verdict::Unwritten);
    assert_eq!(scene.reader.judge(&often(late)).await, Verdict::Void);
}

#[tokio::test]
async fn an_order_that_was_cancelled_meanwhile_is_made_and_cancelled() {
    let cancelled = Sent { cancel: Some("Too late.".to_owned()), ..sent("demo") };
    let scene = scene(written(cancelled), Objects::default());
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Made(ID.to_owned()));
    assert_eq!(scene.objects.cancelled(ID).as_deref(), Some("Too late."));
}

/// The class of the stack was changed: the order was accepted under the one before.
#[tokio::test]
async fn an_order_of_the_class_before_is_made_of_that_class() {
    let scene = scene(written(sent("before")), Objects::default());
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Made(ID.to_owned()));
    assert_eq!(scene.objects.made.lock().expect("whole")[0].spec.class_name, "before");
}

/// Its caller found no object to cancel, as it was not made yet.
#[tokio::test]
async fn an_order_that_is_cancelled_while_its_object_is_made_is_cancelled() {
    let ledger = OneOrder { cancelled_meanwhile: Some("Too late.".to_owned()), ..written(sent("demo")) };
    let scene = scene(ledger, Objects::default());
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Made(ID.to_owned()));
    assert_eq!(scene.objects.cancelled(ID).as_deref(), Some("Too late."));
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_a_ledger_and_an_api_server_that_do_not_answer() {
    let ledger = OneOrder { away: Mutex::new(30), ..written(sent("demo")) };
    let scene = scene(ledger, Objects { away: Mutex::new(30), ..Objects::default() });
    assert_eq!(scene.reader.judge(&now(ID)).await, Verdict::Made(ID.to_owned()));
}

#[tokio::test]
async fn an_order_that_the_api_server_refuses_is_left_for_the_dead_letters() {
    let refusing =
        Objects { refuses: Some("namespaces \"shop\" not found".to_owned()), ..Objects::default() };
    let scene = scene(written(sent("demo")), refusing);
    scene.queue.messages.lock().expect("whole").push(now(ID));
    let (queue, stop) = (scene.queue.clone(), scene.reader.stop.clone());
    let metrics = Arc::clone(&scene.reader.metrics);
    let serving = tokio::spawn(scene.reader.serve());
    while queue.done.lock().expect("whole").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    serving.await.expect("no panic");
    assert_eq!(*queue.done.lock().expect("whole"), [(ID.to_owned(), Some(5))]);
    assert_eq!(metrics.intake.with_label_values(&["demo", "refused"]).get(), 1);
}

#[tokio::test]
async fn what_announces_no_order_of_this_class_is_unreadable() {
    let scene = scene(written(sent("demo")), Objects::default());
    let wrong = |change: fn(&mut Identity)| {
        let mut identity = Identity {
            installation: "bistro".to_owned(),
            tenant: "shop".to_owned(),
            order_id: ID.to_owned(),
        };
        change(&mut identity);
        Received { body: serde_json::to_string(&Announcement::of(&identity)).expect("strings"), ..now(ID) }
    };
    for received in [
        now("a-1"),
        now("../../etc"),
        wrong(|identity| identity.installation = "another".to_owned()),
        wrong(|identity| identity.tenant = "kube-system".to_owned()),
        Received { body: "{".to_owned(), ..now(ID) },
    ] {
        let verdict = scene.reader.judge(&received).await;
        assert!(matches!(verdict, Verdict::Unreadable(_)), "{received:?}: {verdict:?}");
    }
    assert!(scene.objects.made.lock().expect("whole").is_empty());
}

#[tokio::test]
async fn a_class_has_room_for_so_many_orders_that_are_not_over() {
    let mut scene = scene(OneOrder::default(), Objects::default());
    let mut made = std::collections::HashMap::new();
    assert_eq!(scene.reader.room(&mut made), 2);
    // Made, and not in the cache yet.
    made.insert("b".to_owned(), tokio::time::Instant::now());
    assert_eq!(scene.reader.room(&mut made), 1);
    scene.orders.apply_watcher_event(&watcher::Event::Apply(order("b")));
    assert_eq!((scene.reader.room(&mut made), made.len()), (1, 0), "it counts once");
    let mut over = order("c");
    over.status = Some(OrderStatus { phase: Phase::Delivered, ..OrderStatus::default() });
    scene.orders.apply_watcher_event(&watcher::Event::Apply(over));
    assert_eq!(scene.reader.room(&mut made), 1);
    for (change, room) in [(json!({"suspend": true}), 0), (json!({}), 10), (json!({"maxLiveOrders": 1}), 0)] {
        scene.classes.apply_watcher_event(&watcher::Event::Apply(class(&change)));
        assert_eq!(scene.reader.room(&mut made), room, "{change}");
    }
    let mut going = class(&json!({}));
    going.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::now()));
    scene.classes.apply_watcher_event(&watcher::Event::Apply(going));
    assert_eq!(scene.reader.room(&mut made), 0);
}
