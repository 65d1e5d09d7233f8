//! What shall happen to which call, and what happened.

use std::time::Duration;

use comanda_boundary::{Boundary, Point, Site};
use jiff::Timestamp;
use serde::Serialize;
use strum::{EnumIter, IntoStaticStr};

use super::classify::{Call, OrderName, Service};

/// What the proxy does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, IntoStaticStr, Serialize)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum WireFault {
    /// The connection closes before the service has seen the request.
    LoseRequest,
    /// The request comes late.
    Delay,
    /// The service answers that it is asked too often.
    Throttle,
    /// The service answers that it failed, and did nothing.
    Fail,
    /// The connection stays open, and nothing more comes through it.
    HalfOpen,
    /// The operator is killed, and the service never sees the request.
    KillThenLose,
    /// The operator is killed, and the service sees the request when its successor is at work already.
    KillThenLate,
    /// The service does what was asked, and the connection closes without an answer.
    LoseAnswer,
    /// The service does what was asked, and the connection breaks in the middle of its answer.
    CutAnswer,
    /// The service does what was asked, and answers that it failed.
    FailAfter,
    /// The service does what was asked, and the operator is killed before it has the answer.
    KillAfter,
}

/// How long a delayed request takes.
pub const DELAY: Duration = Duration::from_millis(1500);
/// When a request arrives whose sender was killed.
pub const LATE: Duration = Duration::from_millis(2500);

impl WireFault {
    /// The name, as tables write it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether the service does what was asked before it happens.
    pub const fn is_of_the_answer(self) -> bool {
        matches!(self, Self::LoseAnswer | Self::CutAnswer | Self::FailAfter | Self::KillAfter)
    }

    /// Whether it can happen there. Intents and outcomes are all written alike: of the faults of the write, those
    /// stand for the others which leave open whether it happened, and the one that brings it late.
    pub fn happens_at(self, boundary: Boundary) -> bool {
        let Boundary { site, point } = boundary;
        let of_the_answer = matches!(point, Point::Effected | Point::AfterIntent | Point::AfterOutcome);
        let possible = if point.is_on_the_wire() {
            self.befalls(Service::of(site))
        } else {
            let telling =
                matches!(self, Self::LoseRequest | Self::KillThenLate | Self::LoseAnswer | Self::FailAfter);
            telling && !site.is_write()
        };
        possible && of_the_answer == self.is_of_the_answer()
    }

    /// Whether a service can fail like this: MQTT has no status, and half a packet is none.
    pub const fn befalls(self, service: Service) -> bool {
        let of_http = matches!(
            self,
            Self::Throttle | Self::Fail | Self::CutAnswer | Self::FailAfter | Self::KillThenLate
        );
        !(of_http && matches!(service, Service::Mqtt))
    }

    /// Whether the operator does not survive it.
    pub const fn kills(self) -> bool {
        matches!(self, Self::KillThenLose | Self::KillThenLate | Self::KillAfter)
    }
}

/// A fault for the calls of one effect of one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The order; none for any.
    pub order: Option<OrderName>,
    /// Where on the way of which effect.
    #[serde(serialize_with = "name")]
    pub boundary: Boundary,
    /// What happens.
    pub fault: WireFault,
    /// To how many calls, from now on.
    pub count: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn name<S: serde::Serializer>(boundary: &Boundary, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(boundary)
}

/// A call, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Passed {
    /// When.
    pub time: Timestamp,
    /// Where to.
    pub service: Service,
    /// The request, in a line.
    pub line: String,
    /// The order it was for.
    pub order: Option<OrderName>,
    /// The effects it was.
    pub sites: Vec<&'static str>,
    /// The fault that befell it.
    pub fault: Option<WireFault>,
    /// The status the service answered with, where it has one and was asked.
    pub status: Option<u16>,
}

impl Passed {
    pub(super) fn new(call: &Call, fault: Option<WireFault>, status: Option<u16>) -> Self {
        Self {
            time: Timestamp::now(),
            service: call.service,
            line: call.line.clone(),
            order: call.order.clone(),
            sites: call.sites().map(Site::name).collect(),
            fault,
            status,
        }
    }
}

/// The faults to come, and those that happened.
#[derive(Debug, Default)]
pub(super) struct Plan {
    planned: Vec<Planned>,
    fired: Vec<Planned>,
}

impl Plan {
    pub(super) fn add(&mut self, planned: Planned) {
        self.planned.push(planned);
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
    }

    pub(super) fn fired(&self) -> &[Planned] {
        &self.fired
    }

    /// The fault for a call. One before the service sees it has happened with that; any other is to be settled.
    pub(super) fn take(&mut self, call: &Call) -> Option<Planned> {
        let position = self.planned.iter().position(|planned| {
            call.comes_by(planned.boundary)
                && (planned.order.is_none() || planned.order == call.order)
                && planned.fault.befalls(call.service)
        })?;
        let planned = &mut self.planned[position];
        planned.count = planned.count.saturating_sub(1);
        let taken = Planned { count: 1, ..planned.clone() };
        if planned.count == 0 {
            self.planned.remove(position);
        }
        if !taken.fault.is_of_the_answer() {
            self.fired.push(taken.clone());
        }
        Some(taken)
    }

    /// A fault after the effect happened if there was one; otherwise it waits for the next call.
    pub(super) fn settle(&mut self, taken: Planned, effected: bool) {
        if effected {
            self.fired.push(taken);
        } else {
            self.planned.push(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use comanda_boundary::Crossing;
    use comanda_saga::Effect;

    use super::*;

    const CAPTURE: Site = Site::Effect(Effect::Capture);

    fn capture(order: &str) -> Call {
        Call {
            service: Service::Stripe,
            line: "POST /v1/payment_intents/pi_1/capture".to_owned(),
            order: Some(OrderName { namespace: "shop".to_owned(), name: order.to_owned() }),
            crossings: vec![Crossing::Effect(CAPTURE)],
        }
    }

    #[test]
    fn a_fault_befalls_the_calls_of_its_order_and_effect_as_often_as_planned() {
        let mut plan = Plan::default();
        let fault = WireFault::LoseRequest;
        let boundary = Boundary { site: CAPTURE, point: Point::Sent };
        plan.add(Planned { order: capture("one").order, boundary, fault, count: 2 });
        let mut take = |call: &Call| plan.take(call).map(|taken| taken.fault);
        assert_eq!(take(&capture("other")), None);
        let other_effect =
            Call { crossings: vec![Crossing::Effect(Site::Effect(Effect::Refund))], ..capture("one") };
        let intent = Call { crossings: vec![Crossing::Intent(CAPTURE)], ..capture("one") };
        assert_eq!(take(&other_effect), None);
        assert_eq!(take(&intent), None);
        for expected in [Some(fault), Some(fault), None] {
            assert_eq!(take(&capture("one")), expected);
        }
        assert_eq!(plan.fired().len(), 2);
    }

    #[test]
    fn a_fault_after_the_effect_waits_for_a_call_that_has_one() {
        let mut plan = Plan::default();
        let (fault, boundary) = (WireFault::LoseAnswer, Boundary { site: CAPTURE, point: Point::Effected });
        plan.add(Planned { order: None, boundary, fault, count: 1 });
        for effected in [false, true] {
            let taken = plan.take(&capture("one")).expect("it is planned");
            assert_eq!(plan.take(&capture("one")), None);
            assert!(plan.fired().is_empty());
            plan.settle(taken, effected);
        }
        assert_eq!((plan.take(&capture("one")), plan.fired().len()), (None, 1));
    }
}
