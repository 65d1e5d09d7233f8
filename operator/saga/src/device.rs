//! What kitchens and couriers say, and what is known of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a kitchen or a courier said.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceEvent {
    /// The device's own id of the event.
    pub id: String,
    /// What it said.
    pub signal: DeviceSignal,
    /// Sequence number of the command it answers.
    pub seq: u64,
    /// The device's client id.
    pub device: String,
    /// Why, where it gives a reason.
    pub reason: Option<String>,
    /// When it reached the ledger.
    pub at: Timestamp,
}

impl DeviceEvent {
    /// True for what a kitchen says; a courier said it otherwise.
    pub fn is_of_kitchen(&self) -> bool {
        matches!(self.signal, DeviceSignal::Kitchen(_) | DeviceSignal::KitchenRecalled(_))
    }

    /// True for an event that was heard before: a device said the same of the same command. Ids are not asked: a device
    /// that counts from one begins anew when it starts.
    pub fn is_again(&self, known: &Self) -> bool {
        (&self.device, self.signal, self.seq) == (&known.device, known.signal, known.seq)
    }
}

/// The vocabulary of devices.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceSignal {
    /// Kitchen: it advanced to this state.
    Kitchen(KitchenState),
    /// Kitchen: it stopped, or refused to.
    KitchenRecalled(bool),
    /// Courier: it advanced to this state.
    Courier(CourierState),
    /// Courier: it turned back, or refused to.
    CourierRecalled(bool),
}

/// What a device said last.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device<S> {
    /// The furthest state it reported.
    pub state: S,
    /// Who: the kitchen's or the courier's client id.
    pub who: Option<String>,
    /// When it was last heard.
    pub heard_at: Option<Timestamp>,
    /// The reason it gave for a refusal.
    pub reason: Option<String>,
    /// It answered a recall: true for cancelled, false for refused.
    pub recalled: Option<bool>,
}

impl<S: Default> Default for Device<S> {
    fn default() -> Self {
        Self { state: S::default(), who: None, heard_at: None, reason: None, recalled: None }
    }
}

/// How far the kitchen is. Ordered by rank, so late and repeated events change nothing.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KitchenState {
    /// Not heard.
    #[default]
    Unknown,
    /// It took the order.
    Accepted,
    /// It began: the ingredients are spent.
    Preparing,
    /// It said no.
    Rejected,
    /// The food is ready.
    Ready,
}

/// How far the courier is. Ordered by rank, so late and repeated events change nothing.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CourierState {
    /// Not heard.
    #[default]
    Unknown,
    /// A courier took the order.
    Accepted,
    /// The courier who had the order gave it back before the pick-up.
    Declined,
    /// The food left the store: the point of no return for a cancel.
    PickedUp,
    /// It could not be delivered, and the courier has it.
    Failed,
    /// The customer has it.
    Delivered,
}

/// Couriers beside the one who has the order.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dispatch {
    /// From whom the order was last taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawn>,
    /// Couriers who do not have the order, and say that they picked it up or delivered it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Claim>,
    /// What a person was last asked about: their answer is to just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<(String, CourierState)>,
    /// Since a person said who has the order: below this number, what that courier says counts only when they have the
    /// food.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// A person was asked about a courier who does not turn back, or delivered, and said to go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refusal_seen: bool,
}

/// A courier from whom the order was taken back.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Withdrawn {
    /// The device.
    pub device: String,
    /// Sequence number of the command that says so.
    pub seq: u64,
}

/// What a courier says who does not have the order.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Picked up, or delivered.
    pub state: CourierState,
    /// A person was asked about it, and said to go on.
    pub seen: bool,
}

impl Dispatch {
    /// Notes what a courier says who does not have the order. It is asked about once.
    pub(crate) fn claim(&mut self, device: &str, state: CourierState, seen: bool) {
        let claim = self.claims.entry(device.to_owned()).or_insert(Claim { state, seen });
        if state > claim.state {
            *claim = Claim { state, seen };
        }
    }

    /// A person was asked about a claim that went so far.
    pub(crate) fn see(&mut self, device: &str, state: CourierState) {
        if let Some(claim) = self.claims.get_mut(device).filter(|claim| claim.state <= state) {
            claim.seen = true;
        }
    }

    /// A claim that went so far is none: the order is theirs.
    pub(crate) fn forget(&mut self, device: &str, state: CourierState) {
        if self.claims.get(device).is_some_and(|claim| claim.state <= state) {
            self.claims.remove(device);
        }
    }

    /// The claim that a person has to be asked about, the furthest first.
    pub(crate) fn unseen(&self) -> Option<(&str, CourierState)> {
        let unseen = self.claims.iter().filter(|(_, claim)| !claim.seen);
        unseen.map(|(device, claim)| (device.as_str(), claim.state)).max_by_key(|(_, state)| *state)
    }
}
