//! What the test knows of the documented commands.

use super::commands::Documented;

/// What stands for something else in the documents, and what the test has in its place.
const PLACEHOLDERS: [(&str, &str); 2] = [("<name>", "kitchen-rejects"), ("<namespace>", "demo")];

/// How a command that names orders shows that it came to ours.
pub(super) enum Reach {
    /// It makes one of these requests for them, by the verbs of the audit log.
    Asks(&'static [&'static str]),
    /// It asks for nothing that is audited, and says this.
    Says(&'static str),
}

/// Of commands that name orders, by the verb of kubectl.
const ON_ORDERS: [(&str, Reach); 7] = [
    ("annotate", Reach::Asks(&["patch"])),
    ("delete", Reach::Asks(&["delete", "deletecollection"])),
    ("describe", Reach::Asks(&["get", "list"])),
    ("explain", Reach::Says("comanda.dev")),
    ("get", Reach::Asks(&["get", "list"])),
    ("patch", Reach::Asks(&["patch"])),
    ("wait", Reach::Asks(&["get", "list", "watch"])),
];

/// The beginnings of all other commands, and what the test adds to them. `--dry-run=server` asks the API server for
/// everything, and changes nothing.
const OTHERS: [(&str, &str); 9] = [
    ("kubectl apply --namespace demo --filename e2e/orders/", ""),
    ("kubectl create secret generic ", "--dry-run=server"),
    ("kubectl delete crd orders.comanda.dev", "--dry-run=server"),
    ("kubectl delete --filename charts/comanda/files/rbac.yaml", "--dry-run=server"),
    ("kubectl delete namespace comanda-system", "--dry-run=server"),
    ("kubectl delete orderclasses --all", ""),
    ("kubectl describe orderclass", ""),
    ("kubectl get orderclasses", ""),
    ("kubectl patch orderclass demo ", ""),
];

/// What to do with a documented command.
pub(super) enum Plan {
    /// It names a verb and nothing to do: text, not a command.
    Mentioned,
    /// Run this; it must come to our orders.
    Orders(String, &'static Reach),
    /// Run this.
    Other(String),
}

/// What to do with the command, or what the documents or this table lack.
pub(super) fn plan(command: &Documented) -> Result<Plan, String> {
    let place = &command.place;
    let words = command.words();
    let verb = words.get(1).copied().unwrap_or_default();
    if words.len() == 2 {
        return Ok(Plan::Mentioned);
    }
    let text = PLACEHOLDERS
        .iter()
        .fold(command.text.clone(), |text, (placeholder, value)| text.replace(placeholder, value));
    if text.contains('<') {
        return Err(format!("{place}: PLACEHOLDERS has no value for what is in <> here: {text}"));
    }
    if let Some((_, added)) = OTHERS.iter().find(|(beginning, _)| text.starts_with(beginning)) {
        return Ok(Plan::Other(format!("{text} {added}")));
    }
    if !command.is_about_orders() {
        return Err(format!(
            "{place}: add the beginning of this command to OTHERS, or have it name ord: {text}"
        ));
    }
    match ON_ORDERS.iter().find(|(name, _)| *name == verb) {
        Some((_, reach)) => Ok(Plan::Orders(text, reach)),
        None => Err(format!("{place}: add to ON_ORDERS what `kubectl {verb}` asks for: {text}")),
    }
}
