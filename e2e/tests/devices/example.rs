//! The worked example of `docs/devices.md`, as it stands there.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use comanda_e2e::stack::simulators::{Device, Role};
use serde_json::{Value, json};

use super::{World, names};

/// The commands of a page of the documentation that stand in blocks marked `sh`.
fn examples() -> Vec<String> {
    let page = include_str!("../../../docs/devices.md").replace("comanda/local/", "acme/local/");
    let blocks = page.split("```sh\n").skip(1);
    blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())).collect()
}

#[tokio::test]
async fn the_worked_example_of_the_documentation_runs() -> Result<()> {
    for program in ["mosquitto_sub", "mosquitto_pub"] {
        let found = std::process::Command::new(program).arg("--help").output();
        found.with_context(|| format!("{program} is missing: install Debian's mosquitto-clients"))?;
    }
    let mut world = World::new().await?;
    let tablet = Device::new(Role::Kitchen, "tablet-1", "acme").of("shop", "centro");
    let certificate = world.aws.device_certificate("tablet-1", &tablet.holder()).await?;
    let dir = world.dir.path().to_owned();
    std::fs::write(dir.join("ca.pem"), &world.aws.iot().ca_pem)?;
    std::fs::write(dir.join("tablet.pem"), &certificate.cert_pem)?;
    std::fs::write(dir.join("tablet.key"), &certificate.key_pem)?;
    let port = world.aws.iot().port.to_string();
    let shell = |script: &str| {
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-euc", script]).current_dir(&dir).env("HOST", "localhost").env("PORT", &port);
        shell.stdout(Stdio::piped()).kill_on_drop(true);
        shell
    };
    let [wait, answer] = &examples()[..] else { panic!("two examples") };
    let waiting = shell(wait).spawn()?;
    let printed = tokio::spawn(waiting.wait_with_output());
    // A clean session hears what comes once it has subscribed: the command is repeated until then.
    let begun = Instant::now();
    while !printed.is_finished() {
        assert!(begun.elapsed() < Duration::from_secs(15), "the tablet heard nothing");
        world.operator.command("kitchen", "a-1", "prepare", "c-1", 1).await?;
        world.operator.acknowledged().await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let printed: Value = serde_json::from_slice(&printed.await??.stdout)?;
    assert_eq!((&printed["orderId"], &printed["seq"]), (&json!("a-1"), &json!(1)));
    let answering = shell(answer).spawn()?;
    let events = world.operator.hear("ready").await?;
    assert_eq!(names(&events), ["accepted", "preparing", "ready"]);
    assert!(answering.wait_with_output().await?.status.success());
    Ok(())
}
