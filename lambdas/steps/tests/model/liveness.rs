//! Every order can come to an end, whatever happened to it, without anybody's good will; and an operator
//! that nothing disturbs comes to rest.

use std::collections::HashMap;
use std::time::Instant;

use stateright::Model;

use crate::environment::Move;
use crate::kept::Kept;
use crate::properties::is_settled;
use crate::state::{Bounds, Budget, State};
use crate::writer::Fate;

/// The whole graph of states.
#[derive(Default)]
struct Graph {
    states: Vec<Kept<State>>,
    /// Those in which the order needs nobody any more.
    settled: Vec<u32>,
    /// Whence each state is reached by moves that are not free will.
    leads_from: Vec<Vec<u32>>,
    /// Where each state leads by an operator's own moves.
    works_to: Vec<Vec<u32>>,
}

fn explore(bounds: &Bounds) -> Graph {
    let mut places: HashMap<Kept<State>, u32> = HashMap::new();
    let mut graph = Graph::default();
    let mut place = |state: State, graph: &mut Graph| {
        let state = Kept::new(state);
        *places.entry(state.clone()).or_insert_with(|| {
            let place = u32::try_from(graph.states.len()).expect("fewer states");
            if is_settled(&state) || state.object.gone {
                graph.settled.push(place);
            }
            graph.leads_from.push(Vec::new());
            graph.works_to.push(Vec::new());
            graph.states.push(state);
            place
        })
    };
    for state in bounds.init_states() {
        place(state, &mut graph);
    }
    let mut from = 0;
    while from < graph.states.len() {
        let state = graph.states[from].clone();
        let mut moves = Vec::new();
        bounds.actions(&state, &mut moves);
        for a_move in moves {
            let free = a_move.is_free_will();
            let work = matches!(a_move, Move::Step(_, Fate::Answered(_)) | Move::Wake(_) | Move::Invoke(_));
            let to = bounds.next_state(&state, a_move).expect("a state");
            let to = place(to, &mut graph);
            if work {
                graph.works_to[from].push(to);
            }
            if !free {
                graph.leads_from[to as usize].push(u32::try_from(from).expect("fewer states"));
            }
        }
        from += 1;
    }
    graph
}

/// States from which no settled one can be reached.
fn lost(graph: &Graph) -> Vec<usize> {
    let mut saved = vec![false; graph.states.len()];
    let mut ahead = graph.settled.clone();
    while let Some(place) = ahead.pop() {
        if !std::mem::replace(&mut saved[place as usize], true) {
            ahead.extend(&graph.leads_from[place as usize]);
        }
    }
    (0..saved.len()).filter(|place| !saved[*place]).collect()
}

/// States on or behind a circle of an operator's own moves.
fn circling(graph: &Graph) -> usize {
    let mut reached_by = vec![0_u32; graph.states.len()];
    for to in graph.works_to.iter().flatten() {
        reached_by[*to as usize] += 1;
    }
    let mut free: Vec<usize> = (0..reached_by.len()).filter(|place| reached_by[*place] == 0).collect();
    let mut passed = 0;
    while let Some(place) = free.pop() {
        passed += 1;
        for to in &graph.works_to[place] {
            reached_by[*to as usize] -= 1;
            if reached_by[*to as usize] == 0 {
                free.push(*to as usize);
            }
        }
    }
    graph.states.len() - passed
}

/// Explores again, to see that every state leads to an end, and no operator works in circles.
pub fn assert_every_state_leads_to_an_end(name: &str, bounds: &Bounds) {
    let began = Instant::now();
    let graph = explore(bounds);
    let lost = lost(&graph);
    let seconds = began.elapsed().as_secs_f32();
    println!("{name}: {} states, {} settled, in {seconds:.1} s", graph.states.len(), graph.settled.len());
    assert_eq!(circling(&graph), 0, "an operator works in circles");
    assert!(
        lost.is_empty(),
        "{} of {} states never end, the first: {:#?}",
        lost.len(),
        graph.states.len(),
        graph.states[lost[0]]
    );
}

#[test]
fn an_order_ends_though_devices_are_silent_and_answers_are_lost() {
    let bounds = Bounds { budget: Budget { losses: 1, ..Budget::default() }, cancel: true, ..Bounds::calm() };
    assert_every_state_leads_to_an_end("silent devices", &bounds);
}

#[test]
fn an_order_ends_though_the_provider_is_slow_and_stores_errors_and_devices_are_moody() {
    let budget = Budget { losses: 1, ..Budget::default() };
    let bounds = Bounds { moody: true, bad_luck: true, stored_errors: true, budget, ..Bounds::calm() };
    assert_every_state_leads_to_an_end("slow provider", &bounds);
}

#[test]
fn an_order_ends_though_two_operators_run() {
    let bounds = Bounds { budget: Budget { failovers: 1, ..Budget::default() }, ..Bounds::calm() };
    assert_every_state_leads_to_an_end("two operators", &bounds);
}
