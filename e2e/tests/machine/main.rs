//! Orders on what `lambdas/template.yaml` makes: the functions under their roles, the operator with the policy of its
//! pods, the devices with those of their certificates. Evidence is read from the systems themselves.
//!
//! One installation serves all scenes, one after the other.

mod carried;
mod permissions;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use comanda_e2e::stack::Options;
use comanda_e2e::world::World;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

type Scene = for<'a> fn(&'a World) -> futures::future::LocalBoxFuture<'a, anyhow::Result<()>>;

fn options() -> Options {
    Options { program: Some(PathBuf::from(env!("CARGO_BIN_EXE_comanda-e2e"))), ..Options::default() }
}

macro_rules! scenes {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((stringify!($name), (|world| Box::pin($module::$name(world))) as Scene)),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let world: Arc<OnceCell<World>> = Arc::default();
    let scenes = scenes![
        carried::an_order_is_delivered_by_an_operator_that_may_do_what_its_policy_grants,
        carried::an_order_is_delivered_by_one_execution_of_the_machine,
        permissions::whatever_functions_and_operator_are_granted_they_use,
    ];
    let trials = scenes
        .into_iter()
        .map(|(name, scene)| {
            let (runtime, world) = (Arc::clone(&runtime), Arc::clone(&world));
            let trial = Trial::test(name, move || {
                let run = async {
                    let world = world.get_or_try_init(|| World::with_machine(options())).await?;
                    let begun = Instant::now();
                    let result = scene(world).await;
                    eprintln!("{name}: {:.1} s", begun.elapsed().as_secs_f64());
                    result
                };
                runtime.block_on(run).map_err(|error| Failed::from(format!("{error:#}")))
            });
            // Until the program of the functions and the operator's side of the machine are there.
            trial.with_ignored_flag(name.contains("machine"))
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(world) = Arc::into_inner(world).and_then(OnceCell::into_inner) {
        runtime.block_on(world.stop());
    }
    conclusion.exit_code()
}
