//! The 16 scopes to choose from.
use maud::{Markup, html};
use settings_domain::policy::Scope;

const fn resource_name(resource: &str) -> Option<&'static str> {
    match resource.as_bytes() {
        b"workflows" => Some("Workflows"),
        b"runs" => Some("Runs"),
        b"approvals" => Some("Approvals"),
        b"agents" => Some("Agents"),
        b"skills" => Some("Skills"),
        b"connections" => Some("Connections"),
        b"audit" => Some("Audit log"),
        b"workspace" => Some("Workspace"),
        b"secrets" => Some("Secrets"),
        _ => None,
    }
}

/// Scopes by resource: nine rows, read and write.
pub(crate) fn scope_grid(picked: &[&str]) -> Markup {
    let mut resources: Vec<&'static str> = Scope::ALL.iter().filter_map(|s| s.name().split(':').next()).collect();
    resources.dedup();
    html! {
        table.grid role="table" {
            caption.vh { "Scopes by resource" }
            thead role="rowgroup" { tr role="row" { th role="columnheader" scope="col" { "Resource" } th role="columnheader" scope="col" { "Read" } th role="columnheader" scope="col" { "Write" } } }
            tbody role="rowgroup" {
                @for resource in resources {
                    tr role="row" {
                        th role="rowheader" scope="row" { (resource_name(resource).unwrap_or(resource)) @if resource == "secrets" { " " span.badge.danger { "High risk" } } }
                        @for operation in ["read", "write"] {
                            td role="cell" {
                                @let wanted = format!("{resource}:{operation}");
                                @match wanted.parse::<Scope>() {
                                    Ok(scope) => label.cell { input type="checkbox" name="scope" value=(scope.name()) checked[picked.contains(&scope.name())]; code { (scope.name()) } },
                                    Err(_) => span.none { span aria-hidden="true" { "–" } span.vh { "Not available" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
