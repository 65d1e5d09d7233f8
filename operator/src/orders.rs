//! The objects that the operator makes of orders that came over HTTP, and what it asks of them.

use async_trait::async_trait;
use comanda_crds::{Cancel, Order};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::context::bounded;
use crate::error::Error;

/// Makes and cancels objects.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Makes an object, unless there is one of this name.
    async fn create(&self, order: &Order) -> Result<(), CreateError>;
    /// Cancels an order, unless it is cancelled; false where there is none.
    async fn cancel(&self, namespace: &str, name: &str, reason: &str) -> Result<bool, Error>;
}

/// Why an object was not made.
#[derive(thiserror::Error, Debug)]
pub enum CreateError {
    /// The API server does not take it, and goes on so until somebody changes something.
    #[error("the API server refuses the order: {0}")]
    Refused(String),
    /// It did not answer, or has too much to do.
    #[error(transparent)]
    Unanswered(#[from] Error),
}

/// The API server.
pub struct Kubernetes(pub Client);

#[async_trait]
impl Orders for Kubernetes {
    async fn create(&self, order: &Order) -> Result<(), CreateError> {
        let orders: Api<Order> = Api::namespaced(self.0.clone(), &order.namespace().unwrap_or_default());
        let answer =
            tokio::time::timeout(crate::context::API_TIMEOUT, orders.create(&PostParams::default(), order))
                .await;
        match answer {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 && status.reason == "AlreadyExists" => {
                Ok(())
            }
            // 429 and what is above 500 pass by themselves; a namespace that is missing or being deleted does not.
            Ok(Err(kube::Error::Api(status))) if (400..500).contains(&status.code) && status.code != 429 => {
                Err(CreateError::Refused(status.message.clone()))
            }
            Ok(Err(error)) => Err(CreateError::Unanswered(error.into())),
            Err(_) => Err(CreateError::Unanswered(Error::Kubernetes("no answer".to_owned()))),
        }
    }

    async fn cancel(&self, namespace: &str, name: &str, reason: &str) -> Result<bool, Error> {
        let orders: Api<Order> = Api::namespaced(self.0.clone(), namespace);
        let Some(order) = bounded(orders.get_opt(name)).await? else { return Ok(false) };
        if order.spec.cancel.is_some() {
            return Ok(true);
        }
        let cancel = Cancel { reason: reason.to_owned() };
        let patch =
            json!({"metadata": {"resourceVersion": order.resource_version()}, "spec": {"cancel": cancel}});
        match bounded(orders.patch(name, &PatchParams::default(), &Patch::Merge(&patch))).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
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
        async fn create(&self, order: &Order) -> Result<(), CreateError> {
            self.answers()?;
            if let Some(why) = &self.refuses {
                return Err(CreateError::Refused(why.clone()));
            }
            let mut made = self.made.lock().expect("whole");
            if made.iter().all(|known| known.name_any() != order.name_any()) {
                made.push(order.clone());
            }
            Ok(())
        }

        async fn cancel(&self, _: &str, name: &str, reason: &str) -> Result<bool, Error> {
            self.answers()?;
            let mut made = self.made.lock().expect("whole");
            let Some(order) = made.iter_mut().find(|order| order.name_any() == name) else {
                return Ok(false);
            };
            order.spec.cancel.get_or_insert_with(|| Cancel { reason: reason.to_owned() });
            Ok(true)
        }
    }
}
