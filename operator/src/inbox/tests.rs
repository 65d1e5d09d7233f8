use std::sync::Mutex;

use async_trait::async_trait;
use comanda_saga::{DeviceEvent, Phase, Reason, Record, StockChange};
use comanda_steps::contract::{ExecutionInput, Wake};
use comanda_steps::customer::Contact;
use comanda_steps::intake::Sent;
use comanda_steps::ports::{InboxError, Loaded, SentOrders, Waiting};
use serde_json::json;

use super::*;
use crate::memory::tests::{executed, identity};
use crate::orders::tests::Objects;

/// A queue that gives each message once, and keeps what becomes of it.
#[derive(Default)]
pub struct Queue {
    pub messages: Mutex<Vec<Received>>,
    failures: Mutex<u32>,
    pub done: Mutex<Vec<(String, Option<u32>)>>,
}

#[async_trait]
impl Inbox for Queue {
    async fn receive(&self, _: usize) -> Result<Vec<Received>, InboxError> {
        if let Some(left) = {
            let mut failures = self.failures.lock().expect("whole");
            failures.checked_sub(1).inspect(|left| *failures = *left)
        } {
            return Err(InboxError(format!("{left} to go")));
        }
        let messages = std::mem::take(&mut *self.messages.lock().expect("whole"));
        if messages.is_empty() {
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        Ok(messages)
    }

    async fn delete(&self, received: &Received) -> Result<(), InboxError> {
        self.done.lock().expect("whole").push((received.receipt.clone(), None));
        Ok(())
    }

    async fn leave(&self, received: &Received, seconds: u32) -> Result<(), InboxError> {
        self.done.lock().expect("whole").push((received.receipt.clone(), Some(seconds)));
        Ok(())
    }
}

/// A ledger of one order, which does not answer a few times first.
#[derive(Default)]
pub struct OneOrder {
    pub record: Option<Record>,
    pub sent: Option<Sent>,
    /// How often it is looked for before it is there.
    pub written_after: u32,
    /// Why what was sent is cancelled, from the second look on.
    pub cancelled_meanwhile: Option<String>,
    pub looks: Mutex<u32>,
    pub away: Mutex<u32>,
}

impl OneOrder {
    fn answers(&self) -> Result<(), LedgerError> {
        let mut away = self.away.lock().expect("whole");
        if *away > 0 {
            *away -= 1;
            return Err(LedgerError::Unreachable("no answer".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl SentOrders for OneOrder {
    async fn put_sent(&self, _: &Identity, _: &Sent, _: &Contact) -> Result<bool, LedgerError> {
        unreachable!("nothing is written")
    }
    async fn sent(&self, asked: &Identity) -> Result<Option<Sent>, LedgerError> {
        self.answers()?;
        let mut looks = self.looks.lock().expect("whole");
        *looks += 1;
        let written = *looks > self.written_after;
        let mut sent = self.sent.clone().filter(|_| written && asked.tenant == "shop");
        if let Some(sent) = sent.as_mut().filter(|_| *looks > 1 && self.cancelled_meanwhile.is_some()) {
            sent.cancel.clone_from(&self.cancelled_meanwhile);
        }
        Ok(sent)
    }
    async fn put_cancel(&self, _: &Identity, _: &str) -> Result<(), LedgerError> {
        unreachable!("nothing is written")
    }
}

#[async_trait]
impl Ledger for OneOrder {
    async fn load(&self, asked: &Identity) -> Result<Option<Loaded>, LedgerError> {
        self.answers()?;
        let record = self.record.clone().filter(|record| record.identity.tenant == asked.tenant);
        Ok(record.map(|record| Loaded { record, events: Vec::new() }))
    }
    async fn create(&self, _: &Record, _: Option<&Contact>) -> Result<(), LedgerError> {
        unreachable!("nothing is written")
    }
    async fn update(&self, _: &Record, _: StockChange) -> Result<(), LedgerError> {
        unreachable!("nothing is written")
    }
    async fn put_event(&self, _: &Identity, _: &DeviceEvent) -> Result<bool, LedgerError> {
        unreachable!("nothing is written")
    }
    async fn events_kept_by_rule(&self, _: &Record) -> Result<Vec<DeviceEvent>, LedgerError> {
        unreachable!("nobody asks")
    }
    async fn contact(&self, _: &Identity) -> Result<Option<Contact>, LedgerError> {
        unreachable!("nobody asks")
    }
    async fn put_waiting(&self, _: &Identity, _: &Waiting) -> Result<(), LedgerError> {
        unreachable!("nothing is written")
    }
    async fn waiting(&self, _: &Identity, _: &str) -> Result<Option<Waiting>, LedgerError> {
        unreachable!("nobody asks")
    }
    async fn ping(&self) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// A reader, and all that it reaches.
struct Scene {
    reader: Reader,
    queue: Arc<Queue>,
    woken: mpsc::UnboundedReceiver<ObjectRef<Order>>,
    answers: watch::Receiver<Result<(), String>>,
}

fn scene(record: Option<Record>, away: u32) -> Scene {
    let queue = Arc::new(Queue::default());
    let (wake, woken) = mpsc::unbounded_channel();
    let (told, answers) = watch::channel(Ok(()));
    let subscription = Subscription {
        inbox: queue.clone(),
        queue_url: "https://sqs.eu-west-1.amazonaws.com/123456789012/wake".to_owned(),
        installation: "bistro".to_owned(),
        ledger: Arc::new(OneOrder { record, away: Mutex::new(away), ..OneOrder::default() }),
        answers: told,
    };
    let audience = Audience {
        cluster: "c".to_owned(),
        live: Arc::default(),
        metrics: Arc::new(Metrics::new().expect("metrics")),
        wake,
        orders: Arc::new(Objects::default()),
        stop: CancellationToken::new(),
    };
    Scene { reader: Reader { subscription, audience }, queue, woken, answers }
}

impl Scene {
    fn live(&self) -> &Live {
        &self.reader.audience.live
    }

    fn done(&self) -> Vec<(String, Option<u32>)> {
        self.queue.done.lock().expect("whole").clone()
    }

    fn counted(&self, result: &str) -> u64 {
        self.reader.audience.metrics.wakes.with_label_values(&[result]).get()
    }
}

fn object() -> ObjectRef<Order> {
    ObjectRef::new("a-1").within("shop")
}

fn received(body: String) -> Received {
    Received { body, receipt: "r".to_owned(), times: 1, sent_at: jiff::Timestamp::UNIX_EPOCH }
}

fn wake() -> Received {
    let wake = Wake::by(&identity(), "whoever");
    received(serde_json::to_string(&wake).expect("strings serialise"))
}

fn ended(record: &Record, execution: &str, with_input: bool) -> Received {
    let input = with_input.then(|| ExecutionInput::of(record).to_json());
    let event = json!({
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"name": execution, "status": "FAILED", "input": input},
    });
    received(event.to_string())
}

const DELETED: Option<u32> = None;

#[tokio::test]
async fn a_wake_has_the_object_that_follows_the_order_look_again_and_is_deleted() {
    let mut scene = scene(None, 0);
    scene.live().follow(&identity(), &object(), "centro");
    scene.reader.take(wake()).await;
    assert_eq!(scene.woken.try_recv(), Ok(object()));
    assert_eq!(scene.live().word(&identity(), &object()), Some(crate::live::Word { ended: None }));
    assert_eq!((scene.done(), scene.counted("woke")), (vec![("r".to_owned(), DELETED)], 1));
}

#[tokio::test]
async fn an_execution_that_is_said_to_have_ended_is_doubted_with_its_input_and_without() {
    for with_input in [true, false] {
        let (record, mut scene) = (executed(), scene(None, 0));
        let execution = record.execution().expect("an execution").to_owned();
        scene.live().follow(&identity(), &object(), "centro");
        scene.reader.take(ended(&record, &execution, with_input)).await;
        assert_eq!(scene.woken.try_recv(), Ok(object()), "{with_input}");
        let word = scene.live().word(&identity(), &object()).expect("a word");
        assert_eq!(word.ended, Some(execution), "{with_input}");
    }
}

#[tokio::test]
async fn what_is_another_clusters_is_left_and_comes_again_ever_later() {
    let mut record = executed();
    record.owner.as_mut().expect("an owner").cluster = "another".to_owned();
    let mut scene = scene(Some(record.clone()), 0);
    scene.reader.take(wake()).await;
    scene.reader.take(Received { times: 3, ..wake() }).await;
    scene.reader.take(Received { times: 30, ..wake() }).await;
    // Nothing but a name, which no order here has.
    scene.reader.take(ended(&record, "x-1-0123456789abcdef", false)).await;
    let left = [5, 20, 900, 5].map(|seconds| ("r".to_owned(), Some(seconds)));
    assert_eq!((scene.done(), scene.counted("anothers")), (left.to_vec(), 4));
    assert!(scene.woken.try_recv().is_err());
}

#[tokio::test]
async fn what_is_of_an_order_that_is_over_or_unknown_or_whose_object_is_gone_is_no_dead_letter() {
    let mut over = executed();
    over.phase = Phase::Delivered;
    over.owner.as_mut().expect("an owner").cluster = "another".to_owned();
    let unowned = Record { owner: None, ..executed() };
    for record in [None, Some(over), Some(unowned), Some(executed())] {
        let scene = scene(record, 0);
        scene.reader.take(wake()).await;
        assert_eq!((scene.done(), scene.counted("needless")), (vec![("r".to_owned(), DELETED)], 1));
    }
}

#[tokio::test]
async fn what_is_of_an_order_that_is_over_and_needs_a_person_is_for_its_own_cluster_to_see() {
    let mut over = executed();
    over.phase = Phase::Failed;
    over.stall = Some(comanda_saga::record::Stall::new(Reason::RefundFailed, "The refund came back."));
    let mut anothers = over.clone();
    anothers.owner.as_mut().expect("an owner").cluster = "another".to_owned();
    for (record, result, left) in [(over, "needless", DELETED), (anothers, "anothers", Some(5))] {
        let scene = scene(Some(record), 0);
        scene.reader.take(wake()).await;
        assert_eq!((scene.done(), scene.counted(result)), (vec![("r".to_owned(), left)], 1));
    }
}

#[tokio::test]
async fn what_is_said_of_an_execution_before_its_object_came_is_kept_for_it() {
    let record = executed();
    let execution = record.execution().expect("an execution").to_owned();
    let scene = scene(Some(record.clone()), 0);
    scene.reader.take(ended(&record, "an-earlier-one", true)).await;
    scene.live().follow(&identity(), &object(), "centro");
    assert_eq!(scene.live().word(&identity(), &object()), None, "the journal does not name it");
    scene.live().unfollow(&identity(), &object());
    scene.reader.take(ended(&record, &execution, true)).await;
    scene.live().follow(&identity(), &object(), "centro");
    assert_eq!(scene.live().word(&identity(), &object()).and_then(|word| word.ended), Some(execution));
}

#[tokio::test]
async fn what_cannot_be_read_is_left_for_the_dead_letters() {
    let scene = scene(None, 0);
    scene.reader.take(received("{\"order\":".to_owned())).await;
    assert_eq!((scene.done(), scene.counted("unreadable")), (vec![("r".to_owned(), Some(5))], 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_a_ledger_that_does_not_answer_and_is_not_received_again() {
    let scene = scene(Some(executed()), 30);
    scene.reader.take(wake()).await;
    assert_eq!(scene.done(), [("r".to_owned(), DELETED)]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_is_asked_again_and_said_to_be_away() {
    let mut scene = scene(None, 0);
    scene.live().follow(&identity(), &object(), "centro");
    *scene.queue.failures.lock().expect("whole") = 3;
    scene.queue.messages.lock().expect("whole").push(wake());
    let Scene { reader, mut answers, .. } = scene;
    let stop = reader.audience.stop.clone();
    let serving = tokio::spawn(async move { reader.serve().await });
    answers.wait_for(Result::is_err).await.expect("a reader");
    answers.wait_for(Result::is_ok).await.expect("a reader");
    assert_eq!(scene.woken.recv().await, Some(object()));
    stop.cancel();
    serving.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_no_class_names_any_more_is_not_received_from() {
    let Scene { reader, answers, .. } = scene(None, 0);
    let serving = tokio::spawn(async move { reader.serve().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(answers);
    serving.await.expect("no panic");
}

/// A message of the intake, of an order whose ledger holds this, and what became of the object that is there.
async fn cancelling(sent: Option<Sent>, record: Option<Record>, is_there: bool) -> (Scene, Option<String>) {
    let mut scene = scene(None, 0);
    scene.reader.subscription.ledger =
        Arc::new(OneOrder { record, sent, away: Mutex::new(2), ..OneOrder::default() });
    let objects = Arc::new(Objects { away: Mutex::new(2), ..Objects::default() });
    if is_there {
        objects.made.lock().expect("whole").push(crate::intake::tests::order("a-1"));
    }
    scene.reader.audience.orders = objects.clone();
    let wake = serde_json::to_string(&Wake::cancel(&identity())).expect("strings serialise");
    scene.reader.take(received(wake)).await;
    let reason = objects.cancelled("a-1");
    (scene, reason)
}

fn cancelled() -> Sent {
    Sent { cancel: Some("Too late.".to_owned()), ..crate::intake::tests::sent("demo") }
}

#[tokio::test(start_paused = true)]
async fn a_customers_cancellation_reaches_the_object_and_is_deleted() {
    let (scene, reason) = cancelling(Some(cancelled()), None, true).await;
    assert_eq!(reason.as_deref(), Some("Too late."));
    assert_eq!((scene.done(), scene.counted("cancelled")), (vec![("r".to_owned(), DELETED)], 1));
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_the_ledger_does_not_know_is_none() {
    for sent in [None, Some(crate::intake::tests::sent("demo"))] {
        let (scene, reason) = cancelling(sent, None, true).await;
        assert_eq!((reason, scene.counted("needless")), (None, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_of_another_clusters_object_is_left_and_one_that_nobody_claims_for_a_while() {
    let mut another = executed();
    another.owner.as_mut().expect("an owner").cluster = "another".to_owned();
    for record in [Some(another), None] {
        let (scene, _) = cancelling(Some(cancelled()), record, false).await;
        assert_eq!((scene.done(), scene.counted("anothers")), (vec![("r".to_owned(), Some(5))], 1));
    }
    let (scene, _) = cancelling(Some(cancelled()), Some(executed()), false).await;
    assert_eq!(scene.counted("needless"), 1, "the object went, and with it the order");
}

#[tokio::test]
async fn a_process_that_stops_leaves_what_it_will_not_look_at() {
    let scene = scene(None, 0);
    scene.live().follow(&identity(), &object(), "centro");
    scene.reader.audience.stop.cancel();
    scene.reader.take(wake()).await;
    assert_eq!(scene.done(), []);
}
