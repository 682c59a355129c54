//! The `entityModel` object of a Prompt script.
//!
//! `entityModel.id`, `.name`, `.modelUrl`, and either `.token` or `.clientKey` and `.secretKey` (seed B, Using Models in
//! Workflows). What does not apply is `undefined`: the object has no prototype, so nothing is inherited either. It is
//! frozen, and its name can be neither redeclared at the top level nor deleted nor replaced nor enumerated.
//!
//! **A system model's object has no credential.** A workspace's script could print it; the runner's
//! `executePromptWithModel` does not need it there, it asks [`authorize`](crate::authorize::authorize).
//!
//! Like the [variables' prelude](crate::inject#when-the-prelude-refuses) this one throws, before it has defined
//! anything, in a context that already has an `entityModel`.
use crate::{
    Credential, Model, Owner,
    prelude::{Literal, Part, Prelude},
};
use secrecy::{ExposeSecret as _, SecretString};

const PROGRAM: &str = "\
const g=globalThis;\
if(Object.hasOwn(g,'entityModel'))throw new TypeError('entityModel is already defined');\
const value=Object.freeze(Object.assign(Object.create(null),JSON.parse(d)));\
Object.defineProperty(g,'entityModel',{__proto__:null,value,configurable:false,enumerable:false,writable:false})";

/// The source to run before a Prompt script, in its context and before anything of the script.
#[must_use]
pub fn entity_model_prelude(model: &Model) -> Prelude {
    let [first, second] = match (model.owner, &model.credential) {
        (Owner::System, _) => [None, None],
        (Owner::Workspace, Credential::Token(token)) => [Some(("token", token)), None],
        (Owner::Workspace, Credential::ClientKey { client_key, secret_key }) => {
            [Some(("clientKey", client_key)), Some(("secretKey", secret_key))]
        }
    };
    let secrets =
        [first, second].into_iter().flatten().map(|(name, value): (_, &SecretString)| (name, value.expose_secret()));
    let open = [("id", model.id.as_str()), ("name", &model.name), ("modelUrl", model.url.as_str())];
    let members = open.into_iter().chain(secrets);
    let parts = members.enumerate().flat_map(|(i, (name, value))| {
        [Part::Mark(if i == 0 { "{" } else { "," }), Part::Text(name), Part::Mark(":"), Part::Text(value)]
    });
    Prelude::new(&Literal::new(parts.chain([Part::Mark("}")])), PROGRAM)
}
