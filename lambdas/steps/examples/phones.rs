//! Reads phone numbers from standard input, one `{"region": "ES", "text": "600 …"}` a line, and answers each with
//! `{"e164": "+34600…", "verdict": "valid"}`. `data/phones/parity` compares the answers with libphonenumber's.

use std::io::{self, BufRead, Write};

use comanda_steps::customer::{Verdict, judge_phone};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let (e164, verdict) = judge_phone(
            line["text"].as_str().unwrap_or_default(),
            line["region"].as_str().unwrap_or_default(),
        );
        let verdict = match verdict {
            Verdict::Valid => "valid",
            Verdict::Possible => "possible",
            Verdict::Impossible => "impossible",
        };
        writeln!(out, "{}", json!({"e164": e164, "verdict": verdict}))?;
    }
    out.flush()
}
