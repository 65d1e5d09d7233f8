//! Named points around every effect: where a crash, a pause or a lost message can come between.
//!
//! One list, which the fault matrix, the fault points of a test build and the model of the saga share: an
//! effect that is added to [`Effect`] is crashed, paused and cut off in all three without being named again.

#[cfg(feature = "armed")]
pub mod armed;

use std::fmt;
use std::str::FromStr;

use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

use comanda_saga::{Effect, EntryState, Record};

/// Where something happens outside this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// The finalizer is put on the object.
    FinalizerOn,
    /// The order is claimed in the ledger: made, or taken over.
    Claim,
    /// An effect of the journal.
    Effect(Effect),
    /// The last write of the record: a final phase.
    Finish,
    /// The status of the object is written.
    Status,
    /// The finalizer is taken off.
    FinalizerOff,
}

/// A point on the way of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Point {
    /// Decided, and nothing written.
    BeforeIntent,
    /// The intent is written, and nothing called.
    AfterIntent,
    /// The call left this process, and did not take effect yet. Only the wire sees it.
    Sent,
    /// It took effect, and its answer is on the way. Only the wire sees it.
    Effected,
    /// The answer is here, and not written yet.
    Answered,
    /// The outcome is written.
    AfterOutcome,
}

/// A point on the way of one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Boundary {
    /// What happens.
    pub site: Site,
    /// How far it is.
    pub point: Point,
}

/// What a write of the record says of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// The intent of a call that follows.
    Intent(Site),
    /// The outcome of a call that went before.
    Outcome(Site),
    /// The write is the effect.
    Effect(Site),
}

impl Site {
    /// Every site, in the order of a saga.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::FinalizerOn, Self::Claim].into_iter().chain(Effect::iter().map(Self::Effect)).chain([
            Self::Finish,
            Self::Status,
            Self::FinalizerOff,
        ])
    }

    /// The name, as faults and tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FinalizerOn => "FinalizerOn",
            Self::Claim => "Claim",
            Self::Effect(effect) => effect.name(),
            Self::Finish => "Finish",
            Self::Status => "Status",
            Self::FinalizerOff => "FinalizerOff",
        }
    }

    /// True when the effect is one conditional write, which needs no intent and has no other outcome.
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Effect(effect) if effect.is_called())
    }

    /// The points on its way. A write has no intent and no outcome but itself.
    pub fn points(self) -> impl Iterator<Item = Point> {
        let of_calls_only = [Point::AfterIntent, Point::Answered];
        Point::iter().filter(move |point| !(self.is_write() && of_calls_only.contains(point)))
    }
}

impl Point {
    /// The name, as faults and tables write it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// True when only the wire sees it, and no process can stop itself there.
    pub fn is_on_the_wire(self) -> bool {
        matches!(self, Self::Sent | Self::Effected)
    }
}

impl Boundary {
    /// Every boundary of every site.
    pub fn all() -> impl Iterator<Item = Self> {
        Site::all().flat_map(|site| site.points().map(move |point| Self { site, point }))
    }
}

impl Crossing {
    /// What is crossed.
    pub fn site(self) -> Site {
        match self {
            Self::Intent(site) | Self::Outcome(site) | Self::Effect(site) => site,
        }
    }

    /// The point just before the write, and the one just after it.
    pub fn points(self) -> (Option<Point>, Option<Point>) {
        match self {
            Self::Intent(_) => (Some(Point::BeforeIntent), Some(Point::AfterIntent)),
            // Just before it is `Answered`, which the call itself passes.
            Self::Outcome(_) => (None, Some(Point::AfterOutcome)),
            Self::Effect(_) => (Some(Point::BeforeIntent), Some(Point::AfterOutcome)),
        }
    }
}

/// What a write crosses that replaces `before` by `after`.
pub fn crossings(before: Option<&Record>, after: &Record) -> Vec<Crossing> {
    let owner = |record: &Record| (record.epoch, record.owner.clone());
    let mut crossed = Vec::new();
    if before.map(owner) != Some(owner(after)) {
        crossed.push(Crossing::Effect(Site::Claim));
    }
    for (effect, entry) in &after.journal {
        let (site, old) = (Site::Effect(*effect), before.and_then(|before| before.journal.get(effect)));
        let settled = entry.state != EntryState::Intended;
        if !effect.is_called() {
            if settled && old.map(|old| old.state) != Some(entry.state) {
                crossed.push(Crossing::Effect(site));
            }
        } else if entry.state == EntryState::Intended {
            if old.is_none_or(|old| (old.state, old.tries) != (entry.state, entry.tries)) {
                crossed.push(Crossing::Intent(site));
            }
        } else if old.is_none_or(|old| old.state != entry.state) {
            crossed.push(Crossing::Outcome(site));
        }
    }
    if after.phase.is_final() && before.is_none_or(|before| !before.phase.is_final()) {
        crossed.push(Crossing::Effect(Site::Finish));
    }
    crossed
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.site.name(), self.point.name())
    }
}

/// The text names no boundary.
#[derive(Debug, thiserror::Error)]
#[error("no boundary is called {0:?}: it reads <effect>/<point>, such as Capture/after-intent")]
pub struct UnknownBoundary(String);

impl FromStr for Boundary {
    type Err = UnknownBoundary;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|boundary| boundary.to_string() == text)
            .ok_or_else(|| UnknownBoundary(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_boundary_is_found_by_its_name() {
        for boundary in Boundary::all() {
            assert_eq!(boundary.to_string().parse::<Boundary>().unwrap(), boundary);
        }
        assert!("Capture/later".parse::<Boundary>().is_err());
    }

    #[test]
    fn a_call_has_six_points_and_a_write_four() {
        assert_eq!(Site::Effect(Effect::Capture).points().count(), 6);
        let points: Vec<&str> = Site::Effect(Effect::Reserve).points().map(Point::name).collect();
        assert_eq!(points, ["before-intent", "sent", "effected", "after-outcome"]);
        let calls =
            Site::all().filter(|site| matches!(site, Site::Effect(effect) if effect.is_called())).count();
        let writes = Site::all().count() - calls;
        assert_eq!(Boundary::all().count(), calls * 6 + writes * 4);
    }
}
