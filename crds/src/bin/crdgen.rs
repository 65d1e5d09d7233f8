//! Writes the CRDs to `charts/comanda/files/crds/`; with `--check`, fails when they are stale.

use std::path::Path;

use comanda_crds::manifests;

fn main() -> std::io::Result<()> {
    let check = std::env::args().any(|argument| argument == "--check");
    // As cargo says at run time, not as it was compiled: checkouts may share a target directory.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("`cargo run` says where the checkout is");
    let folder = Path::new(&package).join("../charts/comanda/files/crds");
    std::fs::create_dir_all(&folder)?;
    for manifest in manifests() {
        let path = folder.join(manifest.file);
        if !check {
            std::fs::write(&path, manifest.yaml)?;
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&manifest.yaml) {
            eprintln!("{} is stale: run `cargo run -p comanda-crds --bin crdgen`", manifest.file);
            std::process::exit(1);
        }
    }
    Ok(())
}
