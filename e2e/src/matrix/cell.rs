//! The cells: each boundary of each effect, with each fault that can happen there, in each kind of order.

use std::collections::BTreeSet;
use std::fmt;

use comanda_boundary::{Boundary, Point, Site};
use comanda_saga::Effect;
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

use super::ending::Ending;
use crate::fault_proxy::plan::WireFault;

/// One fault in the life of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// Who carries the order.
    pub by: Carrier,
    /// How the order ends.
    pub ending: Ending,
    /// Where the fault happens.
    pub boundary: Boundary,
    /// What happens.
    pub fault: Fault,
}

/// Who carries the orders of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter)]
pub enum Carrier {
    /// The operator, by itself.
    Operator,
    /// Executions of the machine, from the first phase to the last. The operator starts them and shows them.
    Machine,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// To the process that is at the boundary.
    Process(ProcessFault),
    /// To the call that is on the wire.
    Wire(WireFault),
}

/// What a process does to itself at a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum ProcessFault {
    /// SIGKILL.
    Kill,
    /// SIGTERM: it finishes what it began, and ends.
    Stop,
    /// SIGSTOP, past the end of its lease: a successor takes over, and then it goes on where it was.
    Pause,
}

/// What cells need around them, so that those with the same needs run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, clap::ValueEnum)]
pub enum Company {
    /// Nobody dies.
    Calm,
    /// The operator dies at each of them and is started again.
    Deaths,
    /// Two operators, of which the leader is paused at each of them.
    Pauses,
    /// Executions carry the orders: at each of them the operator dies, or a function.
    Machine,
}

impl Company {
    /// Who carries its orders.
    pub const fn carrier(self) -> Carrier {
        match self {
            Self::Calm | Self::Deaths | Self::Pauses => Carrier::Operator,
            Self::Machine => Carrier::Machine,
        }
    }

    /// How many orders share a quiet period: fewer where each fault interrupts all of them.
    pub const fn size(self) -> usize {
        match self {
            Self::Calm => 150,
            Self::Deaths | Self::Machine => 80,
            Self::Pauses => 60,
        }
    }
}

impl Fault {
    /// The name, as tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process(fault) => fault.into(),
            Self::Wire(fault) => fault.name(),
        }
    }

    /// Every fault there is.
    pub fn all() -> impl Iterator<Item = Self> {
        ProcessFault::iter().map(Self::Process).chain(WireFault::iter().map(Self::Wire))
    }

    fn befalls(self, boundary: Boundary) -> bool {
        match self {
            Self::Process(_) => !boundary.point.is_on_the_wire(),
            Self::Wire(fault) => fault.happens_at(boundary),
        }
    }

    /// The same of an order that executions carry. Functions die, and call without a proxy; what else befalls an operator
    /// or its calls is the same for orders that it carries by itself, but for the start of the execution.
    fn befalls_a_delegated(self, boundary: Boundary) -> bool {
        let own = match self {
            Self::Process(fault) => fault == ProcessFault::Kill,
            Self::Wire(_) => boundary.site == Site::Effect(Effect::Execute),
        };
        own && self.befalls(boundary)
    }
}

impl Cell {
    /// Every cell of the endings, whose orders come by the sites named with them.
    pub fn all(by: Carrier, visited: &[(Ending, BTreeSet<Site>)]) -> Vec<Self> {
        let mut cells = Vec::new();
        for (ending, sites) in visited {
            for boundary in Boundary::all().filter(|boundary| sites.contains(&boundary.site)) {
                let faults = Fault::all().filter(|fault| match by {
                    Carrier::Operator => fault.befalls(boundary),
                    Carrier::Machine => fault.befalls_a_delegated(boundary),
                });
                cells.extend(faults.map(|fault| Self { by, ending: *ending, boundary, fault }));
            }
        }
        cells
    }

    /// What it needs around it.
    pub fn company(self) -> Company {
        match self.fault {
            _ if self.by == Carrier::Machine => Company::Machine,
            Fault::Process(ProcessFault::Pause) => Company::Pauses,
            Fault::Process(_) => Company::Deaths,
            Fault::Wire(fault) if fault.kills() => Company::Deaths,
            Fault::Wire(_) => Company::Calm,
        }
    }

    /// The site and the point of the fault.
    pub fn place(self) -> (Site, Point) {
        (self.boundary.site, self.boundary.point)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.by == Carrier::Machine { "machine:" } else { "" };
        write!(f, "{by}{}:{}:{}", self.ending.name(), self.boundary, self.fault.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(by: Carrier, effects: [Effect; 2]) -> Vec<String> {
        let sites = effects.map(Site::Effect).into_iter().chain([Site::Status]).collect();
        Cell::all(by, &[(Ending::Delivered, sites)]).iter().map(Cell::to_string).collect()
    }

    #[test]
    fn only_what_can_happen_is_a_cell() {
        let names = names(Carrier::Operator, [Effect::Capture, Effect::Prepare]);
        for there in [
            "delivered:Capture/answered:kill",
            "delivered:Prepare/effected:lose-answer",
            "delivered:Status/sent:fail",
            "delivered:Capture/after-intent:lose-answer",
            "delivered:Capture/answered:kill-then-late",
        ] {
            assert!(names.iter().any(|name| name == there), "{there}");
        }
        for absent in [
            "delivered:Status/answered:kill",
            "delivered:Prepare/sent:throttle",
            "delivered:Capture/sent:kill",
            "delivered:Capture/before-intent:lose-answer",
            "delivered:Status/before-intent:lose-request",
        ] {
            assert!(!names.iter().any(|name| name == absent), "{absent}");
        }
        // Four points of a process with three faults each, seven faults before the effect, four after it, and two
        // at each end of the writes of its intent and of its outcome.
        assert_eq!(names.iter().filter(|name| name.contains("Capture")).count(), 4 * 3 + 7 + 4 + 2 * 4);
    }
    #[test]
    fn what_a_machine_carries_is_killed_everywhere_and_cut_off_where_it_begins() {
        let names = names(Carrier::Machine, [Effect::Capture, Effect::Execute]);
        let of = |site: &str| names.iter().filter(|name| name.starts_with(site)).count();
        assert_eq!(of("machine:delivered:Capture/"), 4);
        assert_eq!(of("machine:delivered:Status/"), 2);
        // As for `Capture` above, with one fault of a process in place of three.
        assert_eq!(of("machine:delivered:Execute/"), 4 + 7 + 4 + 2 * 4);
        assert_eq!(names.len(), 4 + 2 + 23);
    }
}
