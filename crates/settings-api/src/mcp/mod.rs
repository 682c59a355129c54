//! A Model Context Protocol face over the operation table: each operation is a tool, offered to who may use it and run as
//! the operation it is, with its own checks, limits and audit events.
//!
//! What shows a secret this once, or takes a credential in its address, is no tool (`no_tool` in the table): whatever a tool
//! answers goes through a language model and its transcript.
mod arguments;
mod tool;

use self::tool::{Tool, tools};
use crate::{
    Api,
    answer::Answer,
    input::{Input, Tenant},
    json::{Body, Fields},
    operation::{Access, Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use serde_json::{Map, Value};
use settings_app::authenticate::Authenticated;
use settings_domain::{policy::Requirement, transaction::EntryError};
use std::sync::Arc;
use utoipa::ToSchema;

/// The tools that the caller may use, as `tools/list` of the Model Context Protocol gives them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToolList {
    /// Tools.
    tools: Vec<ToolView>,
}

/// A tool.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolView {
    /// Its name, such as `variables_list`.
    name: String,
    /// What it does, in a line.
    title: &'static str,
    /// What it does and what it needs.
    description: String,
    /// JSON Schema of its arguments.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// Hints.
    annotations: Annotations,
}

/// Hints for who decides whether to ask a person first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the protocol's")]
pub(crate) struct Annotations {
    /// It changes nothing.
    read_only_hint: bool,
    /// It may take something away.
    destructive_hint: bool,
    /// Twice is as good as once.
    idempotent_hint: bool,
    /// It reaches beyond this service.
    open_world_hint: bool,
}

/// A call of a tool, as `tools/call` of the Model Context Protocol has it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the schema of what `Body` reads")]
pub(crate) struct ToolCall {
    /// The tool.
    name: String,
    /// Its arguments.
    #[schema(value_type = Object)]
    arguments: Option<Map<String, Value>>,
}

/// What a tool answers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolResult {
    /// One text: the operation's JSON, or the problem.
    content: Vec<TextContent>,
    /// The same as JSON, where it is an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    structured_content: Option<Value>,
    /// Whether the text is a problem.
    is_error: bool,
}

/// A text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TextContent {
    /// `text`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The text.
    text: String,
}

/// The members of a call.
struct Called {
    name: String,
    arguments: Map<String, Value>,
}

impl Body for Called {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required::<String>("name");
        let arguments = match fields.raw("arguments") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(arguments)) => arguments,
            Some(_) => {
                fields.fault_at("arguments", "must be an object");
                Map::new()
            }
        };
        Some(Self { name: name?, arguments })
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "mcp";
    vec![
        op(Method::GET, "/api/mcp/tools", "listTools", T, "List the tools that the caller may use")
            .query(&[("organizationId", "The workspace that the caller's rights are looked up in")])
            .gives::<ToolList>(200)
            .no_tool("it lists them")
            .anyone("each tool is listed for who may use it", list),
        op(Method::POST, "/api/mcp/tools/call", "callTool", T, "Call a tool; its problems are in the answer")
            .takes::<ToolCall>()
            .gives::<ToolResult>(200)
            .no_tool("it calls them")
            .anyone("the tool's own operation asks for its permission", call),
    ]
}

async fn list(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    input.only(&["organizationId"])?;
    let actor = api.app().standing(&auth.caller, &input.selector(Tenant::Parameter)?).await?;
    let offered = tools().iter().filter(|tool| match tool.operation.access {
        // Who may not use it here, now, is not told of it. What is shown is no promise: each call is decided anew.
        Access::Action(_, requirement) => requirement.is_met_by(&actor),
        Access::Authenticated(_) => true,
        Access::AnyKey => auth.key.is_some(),
    });
    Ok(Answer::ok(&ToolList { tools: offered.map(Tool::view).collect() }))
}

async fn call(api: Arc<Api>, auth: Authenticated, input: Arc<Input>) -> Result<Answer, Problem> {
    let called: Called = input.json()?;
    let tool = tools().iter().find(|tool| tool.name == called.name);
    let tool = tool.ok_or_else(|| Problem::field("/name", "is no tool; GET /api/mcp/tools lists those there are"))?;
    let request = input.request.clone();
    Ok(Answer::ok(&match run(&api, auth, tool, called.arguments, &input).await {
        Ok(answer) => {
            let text = answer.text();
            let structured_content = serde_json::from_str(&text).ok().filter(Value::is_object);
            let text = if text.is_empty() { "Done.".to_owned() } else { text };
            ToolResult { content: vec![TextContent { kind: "text", text }], structured_content, is_error: false }
        }
        Err(problem) => {
            if let Some(denied) = problem.denied() {
                api.app().denied(denied);
            }
            let text = problem.document(&request).to_string();
            ToolResult { content: vec![TextContent { kind: "text", text }], structured_content: None, is_error: true }
        }
    }))
}

/// Runs the operation behind a tool, as if it had been called by its own address.
async fn run(
    api: &Arc<Api>,
    auth: Authenticated,
    tool: &'static Tool,
    arguments: Map<String, Value>,
    outer: &Input,
) -> Result<Answer, Problem> {
    if tool.operation.access == Access::AnyKey && auth.key.is_none() {
        return Err(Problem::unauthenticated());
    }
    let (inner, faults) = arguments::input(tool, arguments, outer);
    if !faults.is_empty() {
        // Who may not call it learns nothing about its arguments.
        if let Access::Action(_, requirement) = tool.operation.access {
            match (api.app().standing(&auth.caller, &inner.selector(tool.operation.tenant)?).await, requirement) {
                (Err(e), _) => return Err(e.into()),
                (Ok(actor), Requirement::Permission(p)) if !requirement.is_met_by(&actor) => {
                    return Err(Problem::lacking(p, &auth.caller));
                }
                (Ok(actor), _) if !requirement.is_met_by(&actor) => return Err(EntryError::NotFound.into()),
                (Ok(_), _) => {}
            }
        }
        return Err(Problem::invalid(faults));
    }
    (tool.operation.run)(api.clone(), auth, Arc::new(inner)).await
}
