//! What each call does: Stripe's check on the object as it is, then localstripe, then Stripe's shape.

use serde_json::{Value, json};

use super::answer::Answer;
use super::error::StripeError;
use super::memory::Memory;
use super::request::{Params, Request};
use super::rules::{self, known};
use super::shape::{self, Notes};
use super::upstream::Upstream;

/// A call that did not do what was asked.
#[derive(Debug)]
pub struct Refused {
    /// The answer.
    pub answer: Answer,
    /// Whether anything was executed, which decides whether the answer is stored under the idempotency key.
    pub executed: bool,
}

/// The body of the answer, or why not.
pub type Outcome = Result<Value, Refused>;

/// The API, on top of localstripe.
#[derive(Debug)]
pub struct Payments {
    pub(super) upstream: Upstream,
    pub(super) memory: Memory,
    public_url: String,
}

/// The parameters of an intent that localstripe takes.
const CREATED_UPSTREAM: &[&str] =
    &["amount", "capture_method", "currency", "customer", "metadata", "payment_method"];

impl Payments {
    /// In front of `upstream`, and itself reached at `public_url`.
    pub fn new(upstream: Upstream, memory: Memory, public_url: String) -> Self {
        Self { upstream, memory, public_url }
    }

    /// Does what a call asks.
    pub async fn execute(&self, request: &Request) -> Outcome {
        let is_post = request.method == reqwest::Method::POST;
        match (is_post, request.segments().as_slice()) {
            (true, ["payment_intents"]) => self.create(request).await,
            (true, ["payment_intents", id, action @ ("confirm" | "capture" | "cancel")]) => {
                // Calls on one intent take turns: the check and the call behind it are two requests.
                let _turn = self.memory.turn(id).await;
                self.act(request, id, action).await
            }
            (true, ["payment_intents", id]) => self.update(request, id).await,
            (true, ["refunds"]) => {
                let id = required(&request.params, "payment_intent")?;
                let _turn = self.memory.turn(id).await;
                self.refund(request, id).await
            }
            (false, ["payment_intents", id]) => self.intent(request, id).await,
            (false, ["payment_intents"]) => self.list_intents(request).await,
            (false, ["refunds"]) if request.params.has("payment_intent") => self.list_refunds(request).await,
            (false, ["refunds"]) => self.list_all_refunds(request).await,
            (false, ["refunds", id]) => self.read_refund(request, id).await,
            _ => {
                let answer = self.upstream.call(
                    request.method.clone(),
                    &request.authorization,
                    &request.path,
                    &request.params,
                );
                answer.await.success().map_err(unstored)
            }
        }
    }

    async fn create(&self, request: &Request) -> Outcome {
        let params = &request.params;
        rules::check_create(params)?;
        let confirm = params.get("confirm") == Some("true");
        let may_redirect = !params.has("payment_method_types")
            && params.get("automatic_payment_methods[allow_redirects]") != Some("never");
        if confirm {
            let draft =
                json!({ "status": "requires_confirmation", "payment_method": params.get("payment_method") });
            rules::check_confirm(&draft, params, may_redirect, params.has("return_url"))?;
        }

        let mut notes = Notes { may_redirect, ..Notes::default() };
        notes.description = params.get("description").map(str::to_owned);
        notes.shipping = params.object("shipping");
        notes.order = params.get("metadata[comanda_order]").map(str::to_owned);
        notes.return_url = params.get("return_url").map(str::to_owned);
        let mut form = params.only(CREATED_UPSTREAM);
        self.check_customer(request).await?;
        self.charge_card(request, &mut form, &mut notes).await?;

        let raw = self.upstream.post(&request.authorization, "/v1/payment_intents", &form).await;
        let raw = raw.success().map_err(unstored)?;
        let id = raw["id"].as_str().unwrap_or_default().to_owned();
        notes.authenticate_url = format!("{}/_authenticate/{id}", self.public_url);
        self.memory.set_notes(&id, &request.authorization, notes.clone());
        if confirm {
            let _turn = self.memory.turn(&id).await;
            return self.confirm(request, &id, &raw).await;
        }
        Ok(shape::intent(raw, &notes, request.params.expands("latest_charge")))
    }

    async fn act(&self, request: &Request, id: &str, action: &str) -> Outcome {
        let known = match action {
            "confirm" => known::CONFIRM,
            "capture" => known::CAPTURE,
            _ => known::CANCEL,
        };
        rules::check_known(&request.params, known)?;
        let raw = self.raw_intent(request, id).await?;
        match action {
            "confirm" => self.confirm(request, id, &raw).await,
            "capture" => self.capture(request, id, &raw).await,
            _ => self.cancel(request, id, &raw).await,
        }
    }

    async fn confirm(&self, request: &Request, id: &str, raw: &Value) -> Outcome {
        let mut notes = self.memory.notes(id);
        if let Some(url) = request.params.get("return_url") {
            notes.return_url = Some(url.to_owned());
        }
        let intent = shape::intent(raw.clone(), &notes, false);
        let returns = notes.return_url.is_some();
        rules::check_confirm(&intent, &request.params, notes.may_redirect, returns).map_err(stored)?;
        self.memory.set_notes(id, &request.authorization, notes.clone());
        if intent["status"] == "requires_action" {
            // Confirmed already and waiting for the customer: Stripe shows the same action again.
            return Ok(intent);
        }
        if intent["payment_method"].is_null() || request.path.ends_with("/confirm") {
            self.change_card(request, id, &intent).await?;
        }
        let path = format!("/v1/payment_intents/{id}/confirm");
        let answer = self.upstream.post(&request.authorization, &path, &Params::default()).await;
        match answer.status {
            402 => Err(self.declined(request, id, answer).await),
            _ => self.shaped(request, id, answer),
        }
    }

    /// Stripe's answer to a declined card: the reason, and the intent as it is afterwards.
    async fn declined(&self, request: &Request, id: &str, refusal: Answer) -> Refused {
        let notes = self.memory.notes(id);
        let mut error = refusal.body["error"].clone();
        error["type"] = json!("card_error");
        shape::decline(&mut error, &notes);
        if let Ok(raw) = self.raw_intent(request, id).await {
            error["payment_intent"] = shape::intent(raw, &notes, false);
        }
        Refused { answer: Answer { status: 402, body: json!({ "error": error }) }, executed: true }
    }

    async fn capture(&self, request: &Request, id: &str, raw: &Value) -> Outcome {
        let mut notes = self.memory.notes(id);
        let intent = shape::intent(raw.clone(), &notes, false);
        rules::check_capture(&intent, &request.params).map_err(stored)?;
        let path = format!("/v1/payment_intents/{id}/capture");
        let form = request.params.only(&["amount_to_capture"]);
        let answer = self.upstream.post(&request.authorization, &path, &form).await;
        if answer.is_success() {
            notes.captured = request.params.get("amount_to_capture").and_then(|amount| amount.parse().ok());
            self.memory.set_notes(id, &request.authorization, notes);
        }
        self.shaped(request, id, answer)
    }

    async fn cancel(&self, request: &Request, id: &str, raw: &Value) -> Outcome {
        let mut notes = self.memory.notes(id);
        rules::check_cancel(&shape::intent(raw.clone(), &notes, false)).map_err(stored)?;
        let path = format!("/v1/payment_intents/{id}/cancel");
        let answer = self.upstream.post(&request.authorization, &path, &Params::default()).await;
        if answer.is_success() {
            let reason = request.params.get("cancellation_reason").map(str::to_owned);
            notes.canceled = Some((reason, jiff::Timestamp::now().as_second()));
            self.memory.set_notes(id, &request.authorization, notes);
        }
        self.shaped(request, id, answer)
    }

    async fn update(&self, request: &Request, id: &str) -> Outcome {
        rules::check_known(&request.params, &["metadata", "description", "expand"])?;
        let mut notes = self.memory.notes(id);
        if let Some(description) = request.params.get("description") {
            notes.description = Some(description.to_owned());
            self.memory.set_notes(id, &request.authorization, notes);
        }
        let form = request.params.only(&["metadata"]);
        if form.0.is_empty() {
            return self.intent(request, id).await;
        }
        let answer =
            self.upstream.post(&request.authorization, &format!("/v1/payment_intents/{id}"), &form).await;
        self.shaped(request, id, answer)
    }

    async fn intent(&self, request: &Request, id: &str) -> Outcome {
        let raw = self.raw_intent(request, id).await?;
        Ok(shape::intent(raw, &self.memory.notes(id), request.params.expands("latest_charge")))
    }

    async fn list_intents(&self, request: &Request) -> Outcome {
        let query = request.params.only(&["limit", "starting_after", "customer"]);
        let answer = self.upstream.get(&request.authorization, &request.path, &query).await;
        let mut list = answer.success().map_err(unstored)?;
        for raw in list["data"].as_array_mut().into_iter().flatten() {
            let notes = self.memory.notes(raw["id"].as_str().unwrap_or_default());
            *raw = shape::intent(raw.take(), &notes, request.params.expands("latest_charge"));
        }
        Ok(list)
    }

    async fn refund(&self, request: &Request, id: &str) -> Outcome {
        rules::check_known(&request.params, known::REFUND)?;
        let notes = self.memory.notes(id);
        let mut intent = shape::intent(self.raw_intent(request, id).await?, &notes, false);
        intent["disputed"] = json!(notes.disputed || notes.dispute_opened);
        let refunded = self.refunds_of(request, &intent).await?;
        let gone = refunded.iter().filter(|refund| refund["status"] != "failed");
        let gone = gone.filter_map(|refund| refund["amount"].as_i64()).sum();
        let amount = rules::check_refund(&intent, gone, &request.params).map_err(stored)?;

        let mut form = request.params.only(&["payment_intent", "metadata"]);
        form.0.push(("amount".to_owned(), amount.to_string()));
        let answer = self.upstream.post(&request.authorization, "/v1/refunds", &form).await;
        let mut refund = answer.success().map_err(unstored)?;
        refund["reason"] = json!(request.params.get("reason"));
        self.memory.remember_refund(refund["id"].as_str().unwrap_or_default(), notes.refunds);
        Ok(self.memory.settle(refund))
    }

    async fn list_refunds(&self, request: &Request) -> Outcome {
        let id = required(&request.params, "payment_intent")?;
        let intent = self.intent(request, id).await?;
        let refunds = self.refunds_of(request, &intent).await?;
        Ok(json!({ "object": "list", "url": "/v1/refunds", "has_more": false, "data": refunds }))
    }

    /// A page of all refunds, each as it is by now.
    async fn list_all_refunds(&self, request: &Request) -> Outcome {
        let answer = self.upstream.get(&request.authorization, &request.path, &request.params).await;
        let mut list = answer.success().map_err(unstored)?;
        for raw in list["data"].as_array_mut().into_iter().flatten() {
            *raw = self.memory.settle(raw.take());
        }
        Ok(list)
    }

    /// The refunds of an intent, newest first.
    async fn refunds_of(&self, request: &Request, intent: &Value) -> Result<Vec<Value>, Refused> {
        if intent["latest_charge"].is_null() {
            // localstripe fails at an intent that was never charged.
            return Ok(Vec::new());
        }
        let pairs = [("payment_intent", intent["id"].as_str().unwrap_or_default()), ("limit", "100")];
        let query = Params(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        let answer = self.upstream.get(&request.authorization, "/v1/refunds", &query).await;
        let mut list = answer.success().map_err(unstored)?;
        let refunds = list["data"].as_array_mut().map(std::mem::take).unwrap_or_default();
        // What a partial capture releases is a refund to localstripe, with no intent; to Stripe it is none.
        let refunds = refunds.into_iter().filter(|refund| !refund["payment_intent"].is_null());
        Ok(refunds.map(|refund| self.memory.settle(refund)).collect())
    }

    async fn read_refund(&self, request: &Request, id: &str) -> Outcome {
        let answer = self.upstream.get(&request.authorization, &request.path, &Params::default()).await;
        if answer.status == 404 {
            return Err(missing("refund", id));
        }
        answer.success().map_err(unstored).map(|refund| self.memory.settle(refund))
    }

    /// The order that an intent names.
    pub fn order_of(&self, id: &str) -> Option<String> {
        self.memory.notes(id).order
    }

    /// The refunds of an intent, which were made, come back: gives them as they are then.
    pub async fn return_refunds(&self, id: &str) -> Option<Vec<Value>> {
        self.change(id, |notes| notes.returned = true).await?;
        let request = Request {
            method: reqwest::Method::GET,
            path: "/v1/refunds".to_owned(),
            params: Params(vec![("payment_intent".to_owned(), id.to_owned())]),
            authorization: self.memory.account(id)?,
            key: None,
        };
        let mut list = self.list_refunds(&request).await.ok()?;
        list["data"].as_array_mut().map(std::mem::take)
    }

    /// The customer disputes the charge of an intent: gives the dispute.
    pub async fn dispute(&self, id: &str) -> Option<Value> {
        self.change(id, |notes| notes.dispute_opened = true).await?;
        Some(
            json!({ "object": "dispute", "id": format!("du_{id}"), "payment_intent": id, "status": "needs_response" }),
        )
    }

    async fn change(&self, id: &str, change: impl FnOnce(&mut Notes)) -> Option<()> {
        let _turn = self.memory.turn(id).await;
        let (account, mut notes) = (self.memory.account(id)?, self.memory.notes(id));
        change(&mut notes);
        self.memory.set_notes(id, &account, notes);
        Some(())
    }

    /// As [`Memory::silence_banks`].
    pub fn silence_banks(&self, silent: bool) {
        self.memory.silence_banks(silent);
    }

    /// The customer's answer on the authentication page.
    pub async fn authenticate(&self, id: &str, succeeds: bool) -> Option<(Answer, Notes)> {
        let _turn = self.memory.turn(id).await;
        let account = self.memory.account(id)?;
        let path = format!("/v1/payment_intents/{id}");
        let raw = self.upstream.get(&account, &path, &Params::default()).await.success().ok()?;
        let secret = raw["client_secret"].as_str().unwrap_or_default();
        let pairs = [("client_secret", secret), ("success", if succeeds { "true" } else { "false" })];
        let form = Params(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        Some((
            self.upstream.post(&account, &format!("{path}/_authenticate"), &form).await,
            self.memory.notes(id),
        ))
    }

    async fn raw_intent(&self, request: &Request, id: &str) -> Outcome {
        let path = format!("/v1/payment_intents/{id}");
        let answer = self.upstream.get(&request.authorization, &path, &Params::default()).await;
        if answer.status == 404 {
            return Err(missing("payment_intent", id));
        }
        answer.success().map_err(unstored)
    }

    fn shaped(&self, request: &Request, id: &str, answer: Answer) -> Outcome {
        let raw = answer.success().map_err(unstored)?;
        Ok(shape::intent(raw, &self.memory.notes(id), request.params.expands("latest_charge")))
    }
}

fn missing(object: &str, id: &str) -> Refused {
    let message = format!("No such {object}: '{id}'");
    let mut answer =
        Answer::from(StripeError::invalid_request("resource_missing", message).with("param", "intent"));
    answer.status = 404;
    Refused { answer, executed: false }
}

fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, Refused> {
    params.get(name).ok_or_else(|| {
        let message = format!("Missing required param: {name}.");
        StripeError::invalid_request("parameter_missing", message).with("param", name).into()
    })
}

/// A refusal that depends on the object: Stripe had begun to execute, so the answer is stored.
fn stored(error: StripeError) -> Refused {
    Refused { answer: error.into(), executed: true }
}

/// A refusal by localstripe, which checks only parameters that the proxy lets through. Its own failures are stored.
pub(super) fn unstored(answer: Answer) -> Refused {
    let executed = answer.status >= 500;
    Refused { answer, executed }
}

/// A refusal of the parameters: nothing was executed.
impl From<StripeError> for Refused {
    fn from(error: StripeError) -> Self {
        Self { answer: error.into(), executed: false }
    }
}
