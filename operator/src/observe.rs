//! All reads of a reconcile: the object, its class, the ledger record and what devices said.

use std::sync::Arc;

use comanda_crds::{
    ABANDON_ANNOTATION, FINALIZER, Order, OrderClass, Phase, RETRY_ANNOTATION, TAKE_OVER_ANNOTATION,
};
use comanda_saga::observed::{ClassFacts, Closed, OrderFacts};
use comanda_saga::{Circumstances, Driver, Identity, Observed, Owner, Record, Terms, digest};
use comanda_steps::calls;
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use crate::context::{Context, bounded};
use crate::error::Error;
use crate::live::Word;
use crate::memory::Memory;
use crate::services::Services;

/// Gathers everything a decision needs. The record of a live order is read once and then held: its
/// version fences it.
pub async fn observe(order: &Order, memory: &mut Memory, context: &Context) -> Result<Observed, Error> {
    let mut observed = remembered(order, memory, context);
    if observed.class.is_none() && memory.saved().is_none() {
        // Which ledger to ask is the class's to say: an order that was never claimed waits for it.
        return if phase(order) == Phase::Pending {
            Ok(observed)
        } else {
            unread(
                order,
                observed,
                format!("the OrderClass {} is gone: apply it again as it was", order.spec.class_name),
            )
        };
    }
    let object = ObjectRef::from_obj(order);
    let fresh = context.live.follow(&observed.order.identity, &object, &order.spec.store);
    if let Some(Word { ended }) = context.live.word(&observed.order.identity, &object) {
        memory.look_again(ended);
    }
    if memory.asked.as_mut().is_some_and(|asked| asked.is_to_be_checked(Timestamp::now())) {
        memory.look_again(None);
    }
    if fresh || !memory.loaded || is_behind(order, memory) {
        load(&observed, memory, context).await?;
    }
    let identity = &observed.order.identity;
    let owns = |memory: &Memory| {
        let record = memory.saved();
        record.is_some_and(|record| record.is_owned_by(&observed.order.owner))
    };
    if owns(memory) && !context.live.follows(identity, &object) {
        // Another object has its events; whose they are is for the ledger to say, and not for what was remembered.
        load(&observed, memory, context).await?;
        if owns(memory) {
            context.live.own(identity, &object, &order.spec.store);
        }
    }
    memory.hear(context.live.collect(identity, &object));
    observed = remembered(order, memory, context);
    if observed.record.is_none() && phase(order) != Phase::Pending {
        // The order was claimed in a ledger, and it was not this one: the class was made anew. To claim it
        // here would be to do it a second time.
        memory.loaded = false;
        let class = &order.spec.class_name;
        return unread(
            order,
            observed,
            format!(
                "the ledger that the OrderClass {class} names does not hold it: apply the class again with the ledger \
                 it had"
            ),
        );
    }
    let foreign = |record: &&Record| !record.is_owned_by(&observed.order.owner);
    if let Some(record) = observed.record.as_ref().filter(foreign) {
        context.live.unfollow(&observed.order.identity, &object);
        observed.owner_is_gone = owner_is_gone(record, &observed.order, context).await?;
    }
    Ok(observed)
}

/// True when the object shows a later version of the record than the one in memory: another operator carried the
/// order on, and this one does not know yet that it was replaced.
pub fn is_behind(order: &Order, memory: &Memory) -> bool {
    let shown = order.status.as_ref().and_then(|status| u64::try_from(status.ledger_version?).ok());
    memory.saved().is_some_and(|record| shown.is_some_and(|shown| shown > record.version))
}

fn phase(order: &Order) -> Phase {
    order.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

/// An order that has begun, and whose record cannot be read. One that ended needs nothing, as if it had no
/// class; any other must not be let go.
fn unread(order: &Order, observed: Observed, why: String) -> Result<Observed, Error> {
    if phase(order).is_final() {
        return Ok(Observed { class: None, ..observed });
    }
    Err(Error::Class(why))
}

/// What is known without reading anything outside this process.
pub fn remembered(order: &Order, memory: &Memory, context: &Context) -> Observed {
    let class = order_class(order, context);
    let identity = identity(order, memory, class.as_deref());
    Observed {
        order: facts(order, identity, context),
        class: class.as_deref().map(|class| class_facts(class, context)),
        record: memory.saved().cloned(),
        owner_is_gone: false,
        trouble: memory.trouble.clone(),
        writer: context.writer.clone(),
    }
}

/// What an order is carried by, beside its record: its services are of the class as pinned there.
pub fn circumstances(observed: &Observed, services: &Services, context: &Context) -> Circumstances {
    Circumstances {
        driver: Driver::Operator,
        wishes: observed.wishes(),
        policy: observed.policy(),
        hearing_since: hearing_since(services),
        key_lifetime: services.payment_rules.key_lifetime(),
        writer: context.writer.clone(),
    }
}

/// Since when the devices of a class are heard; none while they are not, or not by the operator.
pub fn hearing_since(services: &Services) -> Option<Timestamp> {
    services.broker.as_ref()?.connected().borrow().as_ref().ok().copied()
}

fn order_class(order: &Order, context: &Context) -> Option<Arc<OrderClass>> {
    context.classes.get(&ObjectRef::new(&order.spec.class_name))
}

/// The identity needs the class's installation; once claimed, the record knows it.
fn identity(order: &Order, memory: &Memory, class: Option<&OrderClass>) -> Identity {
    if let Some(record) = memory.saved() {
        return record.identity.clone();
    }
    let installation = class.map_or("", |class| &class.spec.installation);
    Identity::of(installation, &namespace(order), &order.name_any(), &order.spec)
}

/// Reads the order from the ledger of its class.
async fn load(observed: &Observed, memory: &mut Memory, context: &Context) -> Result<(), Error> {
    let read_at = Timestamp::now();
    let pinned = observed.record.as_ref().map(|record| &record.class);
    let class = pinned.or(observed.class.as_ref().map(|class| &class.spec));
    let class = class.ok_or_else(|| Error::Class("it does not exist".to_owned()))?;
    let services = context.services.of(class)?;
    let loaded = calls::load(&*services.ledger, &observed.order.identity).await?;
    memory.read(loaded, read_at);
    Ok(())
}

/// Another object owns the order: is it gone? Only a live read counts; the cache may lag.
async fn owner_is_gone(record: &Record, facts: &OrderFacts, context: &Context) -> Result<bool, Error> {
    let Some(owner) = &record.owner else { return Ok(true) };
    if owner.cluster != facts.owner.cluster || record.phase.is_final() || record.digest != facts.digest {
        return Ok(false);
    }
    let orders: Api<Order> = Api::namespaced(context.client.clone(), &owner.namespace);
    let found = bounded(orders.get_opt(&owner.name)).await?;
    Ok(found.and_then(|order| order.uid()).as_deref() != Some(&owner.uid))
}

/// How much of an annotation counts, in bytes. Kubernetes takes 256 KiB of annotations; the ledger keeps what people
/// said in the order's item, and DynamoDB takes items of 400 KB: a larger one could never be written again.
/// Source: `TotalAnnotationSizeLimitB` in `pkg/api/validation/objectmeta.go` of k8s.io/apimachinery.
const ANNOTATION_BYTES: usize = 1024;

fn annotation(order: &Order, name: &str) -> Option<String> {
    let text = order.annotations().get(name)?;
    Some(text[..text.floor_char_boundary(ANNOTATION_BYTES)].to_owned())
}

fn facts(order: &Order, identity: Identity, context: &Context) -> OrderFacts {
    OrderFacts {
        identity,
        owner: Owner {
            cluster: context.cluster.clone(),
            namespace: namespace(order),
            name: order.name_any(),
            uid: order.uid().unwrap_or_default(),
        },
        class_name: order.spec.class_name.clone(),
        digest: digest(&order.spec),
        terms: Terms::of(&order.spec),
        generation: order.metadata.generation.unwrap_or_default(),
        has_finalizer: order.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        deleted: order.metadata.deletion_timestamp.is_some(),
        cancel: order.spec.cancel.as_ref().map(|cancel| cancel.reason.clone()),
        suspend: order.spec.suspend,
        ttl: order.spec.ttl_seconds_after_finished.filter(|_| !tracked_by_gitops(order)),
        retry: annotation(order, RETRY_ANNOTATION),
        abandon: annotation(order, ABANDON_ANNOTATION),
        take_over: annotation(order, TAKE_OVER_ANNOTATION).is_some(),
    }
}

/// Argo CD and Flux would create again what a time to live deletes.
/// Source: <https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/>,
/// <https://fluxcd.io/flux/components/kustomize/kustomizations/>.
fn tracked_by_gitops(order: &Order) -> bool {
    const LABELS: [&str; 4] = [
        "app.kubernetes.io/instance",
        "argocd.argoproj.io/instance",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
    ];
    LABELS.iter().any(|label| order.labels().contains_key(*label))
        || order.annotations().contains_key("argocd.argoproj.io/tracking-id")
}

fn class_facts(class: &OrderClass, context: &Context) -> ClassFacts {
    let name = class.name_any();
    let most = class.spec.max_live_orders.and_then(|most| usize::try_from(most).ok());
    // A class that is being deleted still serves the orders it has.
    let closed = if class.metadata.deletion_timestamp.is_some() {
        Some(Closed::Deleting)
    } else {
        most.filter(|most| context.live.count(&name) >= *most).map(|_| Closed::Full)
    };
    ClassFacts { name, spec: class.spec.clone(), closed }
}

fn namespace(order: &Order) -> String {
    order.namespace().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use comanda_crds::{ABANDON_ANNOTATION, Order};
    use kube::ResourceExt;
    use serde_json::json;

    use super::annotation;

    fn abandoned_because(text: &str) -> Option<String> {
        let mut order: Order = serde_json::from_value(json!({
            "apiVersion": "comanda.dev/v1alpha1",
            "kind": "Order",
            "metadata": {"name": "dinner"},
            "spec": {
                "className": "demo",
                "customer": {"ledger": {}},
                "store": "madrid",
                "items": [{"sku": "paella", "quantity": 1}],
                "currency": "EUR",
                "payment": {"paymentMethod": "pm_card_visa"},
            },
        }))
        .expect("an order");
        order.annotations_mut().insert(ABANDON_ANNOTATION.to_owned(), text.to_owned());
        annotation(&order, ABANDON_ANNOTATION)
    }

    #[test]
    fn of_an_annotation_the_first_1024_bytes_count_and_no_half_character() {
        let whole = "x".repeat(1024);
        assert_eq!(abandoned_because(&whole), Some(whole));
        // Three bytes each: the 342nd character has its first byte within the bound, and its last one beyond.
        assert_eq!(abandoned_because(&"厨".repeat(342)), Some("厨".repeat(341)));
    }
}
