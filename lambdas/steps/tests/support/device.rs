//! A kitchen's tablet, or a courier's telephone.

/// How far a device is. The kitchen begins and finishes, the courier picks up and delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Knows nothing of the order.
    #[default]
    Idle,
    /// Was told; couriers, was offered.
    Told,
    /// Couriers: took the order.
    Accepted,
    /// Preparing; picked up.
    Begun,
    /// Ready; delivered.
    Finished,
    /// Rejected; failed.
    GaveUp,
    /// Stopped by a recall.
    Stopped,
}

/// A device that ignores commands older than the newest it heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Device {
    /// How far it is.
    pub stage: Stage,
    /// Sequence number of the newest command it heard.
    pub heard: u64,
    /// Sequence number of its task.
    pub task: Option<u64>,
    /// Sequence number of a recall it has to answer.
    pub recall: Option<u64>,
    /// Couriers: sequence number of the command that says that the order is theirs.
    pub assigned: Option<u64>,
}

impl Device {
    pub fn command(&mut self, seq: u64) {
        if seq > self.heard {
            self.heard = seq;
            // Whoever has the food takes no offer of it.
            if !matches!(self.stage, Stage::Begun | Stage::Finished) {
                self.task = Some(seq);
                self.stage = Stage::Told;
            }
        }
    }

    /// The order is theirs.
    pub fn assign(&mut self, seq: u64) {
        if seq > self.heard {
            self.heard = seq;
            self.assigned = Some(seq);
        }
    }

    /// The order is theirs no more.
    pub fn withdraw(&mut self, seq: u64) {
        if seq > self.heard {
            self.heard = seq;
            self.assigned = None;
            if self.stage == Stage::Accepted {
                self.stage = Stage::Idle;
            }
        }
    }

    pub fn recall(&mut self, seq: u64) {
        if seq > self.heard {
            self.heard = seq;
            self.recall = Some(seq);
        }
    }
}
