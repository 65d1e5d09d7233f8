//! Writes the CRDs to `charts/comanda/files/crds/`, and the contract of the HTTP intake to `lambdas/openapi.yaml`; with
//! `--check`, fails when they are stale.

use std::path::Path;

use comanda_crds::{manifests, openapi};

fn main() -> std::io::Result<()> {
    let check = std::env::args().any(|argument| argument == "--check");
    // As cargo says at run time, not as it was compiled: checkouts may share a target directory.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("`cargo run` says where the checkout is");
    let folder = Path::new(&package).join("../charts/comanda/files/crds");
    std::fs::create_dir_all(&folder)?;
    let crds = manifests().into_iter().map(|manifest| (folder.join(manifest.file), manifest.yaml));
    for (path, text) in crds.chain([(Path::new(&package).join("../lambdas/openapi.yaml"), openapi())]) {
        if !check {
            std::fs::write(&path, text)?;
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            eprintln!("{} is stale: run `cargo run -p comanda-crds --bin crdgen`", path.display());
            std::process::exit(1);
        }
    }
    Ok(())
}
