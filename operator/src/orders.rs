//! The objects that the operator makes of orders that came over HTTP, and what it asks of them.

use async_trait::async_trait;
use comanda_crds::{Cancel, Order};
use comanda_saga::{Identity, digest};
use comanda_steps::intake::Sent;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::context::API_TIMEOUT;
use crate::error::Error;

/// Makes and cancels objects. What is done is done to an object of the very order, and to no other of its name.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Makes an object, unless it is there.
    async fn create(&self, order: &Order) -> Result<(), NotDone>;
    /// Cancels an order by the object that was made of it, unless it is cancelled; false where there is none.
    async fn cancel(&self, order: &Order, reason: &str) -> Result<bool, NotDone>;
}

/// Why an object was not made, or not cancelled.
#[derive(thiserror::Error, Debug)]
pub enum NotDone {
    /// The API server does not take it, and goes on so until somebody changes something.
    #[error("the API server refuses it: {0}")]
    Refused(String),
    /// It did not answer, or has too much to do.
    #[error(transparent)]
    Unanswered(#[from] Error),
}

/// The API server.
pub struct Kubernetes(pub Client);

impl Kubernetes {
    fn of(&self, order: &Order) -> Api<Order> {
        Api::namespaced(self.0.clone(), &order.namespace().unwrap_or_default())
    }
}

/// What the API server answered in time.
async fn answered<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, kube::Error> {
    match tokio::time::timeout(API_TIMEOUT, request).await {
        Ok(answer) => answer,
        Err(_) => Err(kube::Error::Service("no answer in time".into())),
    }
}

/// 429 and what is above 500 pass by themselves, and a conflict does; a namespace that is missing or being deleted does not.
fn not_done(error: kube::Error) -> NotDone {
    match error {
        kube::Error::Api(status)
            if (400..500).contains(&status.code) && ![409, 429].contains(&status.code) =>
        {
            NotDone::Refused(status.message.clone())
        }
        error => NotDone::Unanswered(error.into()),
    }
}

/// True when an object is of the order of which `made` would be made: its name alone does not say so.
fn is_of(object: &Order, made: &Order) -> bool {
    object.spec.order_id.as_ref().is_none_or(|id| *id == made.name_any())
        && digest(&object.spec) == digest(&made.spec)
}

#[async_trait]
impl Orders for Kubernetes {
    async fn create(&self, order: &Order) -> Result<(), NotDone> {
        let orders = self.of(order);
        match answered(orders.create(&PostParams::default(), order)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && status.reason == "AlreadyExists" => {
                let known = answered(orders.get_opt(&order.name_any())).await.map_err(not_done)?;
                match known {
                    Some(known) if is_of(&known, order) => Ok(()),
                    // It went meanwhile: it is made at the next try.
                    None => Err(NotDone::Unanswered(Error::Outdated)),
                    Some(_) => Err(NotDone::Refused("another order has an object of this name".to_owned())),
                }
            }
            Err(error) => Err(not_done(error)),
        }
    }

    async fn cancel(&self, order: &Order, reason: &str) -> Result<bool, NotDone> {
        let (orders, name) = (self.of(order), order.name_any());
        let known = answered(orders.get_opt(&name)).await.map_err(not_done)?;
        let Some(known) = known.filter(|known| is_of(known, order)) else { return Ok(false) };
        if known.spec.cancel.is_some() {
            return Ok(true);
        }
        let cancel = Cancel { reason: reason.to_owned() };
        let patch =
            json!({"metadata": {"resourceVersion": known.resource_version()}, "spec": {"cancel": cancel}});
        match answered(orders.patch(&name, &PatchParams::default(), &Patch::Merge(&patch))).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(not_done(error)),
        }
    }
}

/// The object of an order that came over HTTP.
pub fn object(identity: &Identity, sent: &Sent) -> Order {
    let mut order = Order::new(&identity.order_id, sent.spec.clone());
    order.metadata.namespace = Some(identity.tenant.clone());
    order
}

#[cfg(test)]
pub mod tests {
    use std::sync::Mutex;

    use super::*;

    /// An API server that keeps what it is asked.
    #[derive(Default)]
    pub struct Objects {
        /// The objects it has.
        pub made: Mutex<Vec<Order>>,
        /// What it says to whoever makes one.
        pub refuses: Option<String>,
        /// How often it gives no answer first.
        pub away: Mutex<u32>,
    }

    impl Objects {
        fn answers(&self) -> Result<(), Error> {
            let mut away = self.away.lock().expect("whole");
            if *away > 0 {
                *away -= 1;
                return Err(Error::Kubernetes("no answer".to_owned()));
            }
            Ok(())
        }

        /// The reason for which the object of this name is cancelled.
        pub fn cancelled(&self, name: &str) -> Option<String> {
            let made = self.made.lock().expect("whole");
            made.iter()
                .find(|order| order.name_any() == name)?
                .spec
                .cancel
                .clone()
                .map(|cancel| cancel.reason)
        }
    }

    #[async_trait]
    impl Orders for Objects {
        async fn create(&self, order: &Order) -> Result<(), NotDone> {
            self.answers()?;
            if let Some(why) = &self.refuses {
                return Err(NotDone::Refused(why.clone()));
            }
            let mut made = self.made.lock().expect("whole");
            if made.iter().all(|known| known.name_any() != order.name_any()) {
                made.push(order.clone());
            }
            Ok(())
        }

        async fn cancel(&self, order: &Order, reason: &str) -> Result<bool, NotDone> {
            self.answers()?;
            if let Some(why) = &self.refuses {
                return Err(NotDone::Refused(why.clone()));
            }
            let name = order.name_any();
            let mut made = self.made.lock().expect("whole");
            let Some(order) = made.iter_mut().find(|order| order.name_any() == name) else {
                return Ok(false);
            };
            order.spec.cancel.get_or_insert_with(|| Cancel { reason: reason.to_owned() });
            Ok(true)
        }
    }
}
