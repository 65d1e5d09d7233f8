//! Orders of the demo that come over HTTP, where there is an API: one that is delivered, one that its customer cancels when
//! their bank asks them to confirm, and one that is none.

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::screen::Verdict;
use crate::evidence::Snapshot;
use crate::stack::aws::{Answer, Aws, Caller};
use crate::world::over_http;

/// What was sent, and under which ids it is known.
pub struct Web {
    caller: Caller,
    delivered: String,
    asked: String,
    refused: Answer,
    cancelled: OnceCell<()>,
}

impl Web {
    /// Sends the orders.
    ///
    /// # Errors
    /// When there is no API, or it does not take them.
    pub async fn send(aws: &Aws) -> Result<Self> {
        let caller = aws.caller(Some("web-shop")).await?;
        let order = |sku: &str, card: &str, quantity: u32| {
            let mut order = over_http(sku);
            order["payment"]["paymentMethod"] = card.into();
            order["items"][0]["quantity"] = quantity.into();
            order
        };
        let delivered = caller.order("cart-1", &order("last-one", "pm_card_visa", 1)).await?.id()?;
        let asked =
            caller.order("cart-2", &order("paella", "pm_card_threeDSecure2Required", 1)).await?.id()?;
        let refused = caller.order("cart-3", &order("paella", "pm_card_visa", 0)).await?;
        Ok(Self { caller, delivered, asked, refused, cancelled: OnceCell::new() })
    }

    /// The customer cancels the order whose payment they are to confirm. True once both orders are over.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn attend(&self) -> Result<bool> {
        let (delivered, asked) = (self.read(&self.delivered).await?, self.read(&self.asked).await?);
        if asked["confirmPayment"].is_string() {
            let cancel =
                async || self.caller.cancel(&self.asked, "The customer changed their mind.").await.map(drop);
            self.cancelled.get_or_try_init(cancel).await?;
        }
        let is_over = |order: &Value| {
            ["Delivered", "Rejected", "Cancelled", "Failed"].iter().any(|end| order["phase"] == *end)
        };
        Ok(is_over(&delivered) && is_over(&asked))
    }

    /// What the API and every other system say of the orders.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn evidence(&self, snapshot: &Snapshot) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        let cancelled = ("canceled, captured 0, refunded 0", "cancelled", "none");
        let delivered = ("succeeded, captured 1000, refunded 0", "confirmed", "prepare, deliver, assigned");
        for (subject, id, phase, (payment, told, commands)) in [
            ("HTTP: delivered", &self.delivered, "Delivered", delivered),
            ("HTTP: cancelled by its caller", &self.asked, "Cancelled", cancelled),
        ] {
            let (shown, facts) = (self.read(id).await?, snapshot.facts(id));
            for (system, found, wanted) in [
                ("GET /orders/{id}", shown["phase"].as_str().unwrap_or_default(), phase),
                ("object in the API server", &facts.object, phase),
                ("payment at Stripe", &facts.payment, payment),
                ("customer, through SNS", &facts.told, told),
                ("commands devices acted on", &facts.commands, commands),
            ] {
                verdicts.push(Verdict::new(subject, system, found, wanted));
            }
        }
        let path = self.refused.body["errors"][0]["path"].as_str().unwrap_or_default();
        let found = format!("{} {path}", self.refused.status.as_u16());
        verdicts.push(Verdict::new(
            "HTTP: a quantity of 0",
            "POST /orders",
            &found,
            "422 spec.items[0].quantity",
        ));
        Ok(verdicts)
    }

    async fn read(&self, id: &str) -> Result<Value> {
        Ok(self.caller.read(id).await.context("reading an order over HTTP")?.body)
    }
}
