//! A pace that all orders share. Who has to wait for a turn comes back then: no worker waits for it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// `DescribeExecution` is refused beyond 15 a second in most regions, for the whole account: this leaves a third to others.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-api-action-throttling-general>.
const EXECUTIONS_A_SECOND: u32 = 10;

/// How long a turn that nobody took is kept for its order. Without a bound, turns could be saved up.
const KEPT: Duration = Duration::from_secs(5);

/// Gives out turns, so many a second.
pub struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

/// When an order may do what is paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn(Instant);

impl Pace {
    /// For looks at executions.
    pub fn of_executions() -> Self {
        Self { interval: Duration::from_secs(1) / EXECUTIONS_A_SECOND, next: Mutex::default() }
    }

    /// Whether now is the turn of who was given `turn`, which is then used up; else how long it is until then.
    pub fn take(&self, turn: &mut Option<Turn>, now: Instant) -> Result<(), Duration> {
        let Turn(due) = match *turn {
            Some(known) if now <= known.0 + KEPT => known,
            _ => self.give(now),
        };
        *turn = (now < due).then_some(Turn(due));
        if now < due { Err(due - now) } else { Ok(()) }
    }

    fn give(&self, now: Instant) -> Turn {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(now, |next| next.max(now));
        *next = Some(due + self.interval);
        Turn(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_orders_look_at_their_executions_in_turns_ten_a_second() {
        let (pace, begun) = (Pace::of_executions(), Instant::now());
        let mut turns = [const { None::<Turn> }; 1000];
        let mut looked = Vec::new();
        // All of them come at once, and each comes back when it was told to, or too early.
        let mut due = [Duration::ZERO; 1000];
        for tick in 0..1100 {
            let now = begun + tick * Duration::from_millis(100);
            for (turn, due) in turns.iter_mut().zip(&mut due) {
                if *due == Duration::MAX || now < begun + *due / 2 {
                    continue;
                }
                match pace.take(turn, now) {
                    Ok(()) => {
                        looked.push(now);
                        *due = Duration::MAX;
                    }
                    Err(left) => *due = now - begun + left,
                }
            }
        }
        assert_eq!(looked.len(), 1000, "each of them looks once");
        assert!(
            looked.windows(11).all(|eleven| eleven[10] - eleven[0] >= Duration::from_secs(1)),
            "never more than ten in a second"
        );
        assert_eq!(looked[999] - begun, Duration::from_millis(99_900), "and none is wasted");
    }

    #[test]
    fn a_turn_that_nobody_took_is_not_saved_up() {
        let (pace, begun) = (Pace::of_executions(), Instant::now());
        let mut turns = [None; 3];
        assert_eq!(turns.each_mut().map(|turn| pace.take(turn, begun).is_ok()), [true, false, false]);
        // The orders went on by themselves, and are overdue again an hour later.
        let later = begun + Duration::from_hours(1);
        assert_eq!(turns.each_mut().map(|turn| pace.take(turn, later).is_ok()), [true, false, false]);
    }

    #[test]
    fn who_comes_when_nobody_does_need_not_wait() {
        let (pace, begun) = (Pace::of_executions(), Instant::now());
        for second in 0..10 {
            assert_eq!(pace.take(&mut None, begun + Duration::from_secs(second)), Ok(()));
        }
    }
}
