//! Prints every name of a subdivision that an address may not carry without a doubt, and counts them by country.
//!
//! The names stand in `data/subdivision-names.json`; `data/regenerate.py` says where they come from. Countries may be
//! named as arguments: `cargo run --package comanda-steps --example areas ES JP`.

use std::collections::BTreeMap;
use std::io::Write;

use comanda_steps::customer::area_is_known;

/// It is not embedded: its licence (see `data/NOTICE`) is not that of the programs.
const NAMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/subdivision-names.json");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let names: BTreeMap<String, Vec<String>> = serde_json::from_str(&std::fs::read_to_string(NAMES)?)?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    for (country, names) in names.iter().filter(|(country, _)| wanted.is_empty() || wanted.contains(country))
    {
        let unknown: Vec<&String> = names.iter().filter(|name| !area_is_known(country, name)).collect();
        writeln!(out, "{country}: {} names, {} not accepted", names.len(), unknown.len())?;
        for name in unknown {
            writeln!(out, "    {name}")?;
        }
    }
    Ok(())
}
