//! Variables for a script, in the three ways seed B shows.
//!
//! ```js
//! const apiKey = OPENAI_API_KEY;                                    // 1. a top-level binding each
//! for (const variable of __variables__) { print(variable.name); }   // 2. an array of { name, value }
//! const token = __variablesByName__['API_TOKEN'];                   // 3. a map by name
//! ```
//!
//! The array is in the order given. The map has no prototype: a name that is not there is `undefined`, also
//! `toString`. Array, its entries and the map are frozen. None of it is enumerable on the global object, so a script
//! that prints the global object prints no value.
//!
//! # When a script uses a variable's name for something of its own
//!
//! A top-level binding is a property of the global object: not writable, configurable.
//!
//! | the script says | what happens |
//! |---|---|
//! | `const KEY = …`, `let KEY`, `class KEY`; anything in a function, a block or a module | it has its own `KEY`: no syntax error |
//! | `const KEY = KEY` | `ReferenceError`, as always in JavaScript; say `globalThis.KEY` or `__variablesByName__.KEY` |
//! | `KEY = …`, or `var KEY = …` at the top level of a script, in strict code | `TypeError` |
//! | the same in sloppy code | nothing: `KEY` keeps its value |
//! | `function KEY() {}` at the top level of a script | the function takes its place; under node's `vm` it does not |
//! | `delete globalThis.KEY` | it is gone, the array and the map still have it |
//!
//! Not writable, so that an assignment by mistake (`if (KEY = x)`) does not change what later code of the same context
//! reads. Configurable, because V8 answers a global `const` of the same name with a `SyntaxError` for the whole script
//! otherwise.
//!
//! `__variables__` and `__variablesByName__` can be neither redeclared at the top level nor deleted nor replaced.
//!
//! # When the prelude refuses
//!
//! It throws a `TypeError` before it has defined anything, when the context already has one of its names: a variable
//! would take the place of something of the runner's, or the context has had a prelude. A context belongs to one
//! execution; one that had the variables of two would mix environments. The error's text has the name, never a value.
use crate::{
    VariableName,
    prelude::{Literal, Part, Prelude},
};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeSet;

/// A variable, decrypted.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: VariableName,
    /// Its value: any text.
    pub value: SecretString,
}

/// The variables cannot be injected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// Two have the same name. One environment has no two, so something upstream has mixed environments.
    #[error("the variable {0} is there twice")]
    Duplicate(VariableName),
}

const PROGRAM: &str = "\
const l=JSON.parse(d),g=globalThis,m=Object.create(null);\
const define=(name,value,configurable)=>\
Object.defineProperty(g,name,{__proto__:null,value,configurable,enumerable:false,writable:false});\
for(const name of ['__variables__','__variablesByName__'])\
if(Object.hasOwn(g,name))throw new TypeError(name+' is already defined: the context has had a prelude');\
for(const v of l){\
if(Object.hasOwn(g,v.name))throw new TypeError('the variable '+v.name+' would replace a global of the same name');\
m[v.name]=v.value;Object.freeze(v)}\
define('__variables__',Object.freeze(l),false);\
define('__variablesByName__',Object.freeze(m),false);\
for(const v of l)define(v.name,v.value,true)";

/// The source to run before a script, in its context and before anything of the script: it trusts the built-in objects.
///
/// # Errors
/// [`InjectError::Duplicate`].
pub fn variables_prelude(variables: &[Variable]) -> Result<Prelude, InjectError> {
    let mut names = BTreeSet::new();
    if let Some(twice) = variables.iter().find(|variable| !names.insert(&variable.name)) {
        return Err(InjectError::Duplicate(twice.name.clone()));
    }
    let entries = variables.iter().enumerate().flat_map(|(i, variable)| {
        [
            Part::Mark(if i == 0 { "{" } else { ",{" }),
            Part::Text("name"),
            Part::Mark(":"),
            Part::Text(variable.name.as_str()),
            Part::Mark(","),
            Part::Text("value"),
            Part::Mark(":"),
            Part::Text(variable.value.expose_secret()),
            Part::Mark("}"),
        ]
    });
    let data = Literal::new(std::iter::once(Part::Mark("[")).chain(entries).chain([Part::Mark("]")]));
    Ok(Prelude::new(&data, PROGRAM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> Variable {
        Variable { name: name.parse().unwrap(), value: value.into() }
    }

    #[test]
    fn two_variables_of_one_name_are_refused() {
        let twice = [variable("A", "1"), variable("B", "2"), variable("A", "1")];
        assert_eq!(variables_prelude(&twice).err(), Some(InjectError::Duplicate("A".parse().unwrap())));
        assert!(variables_prelude(&[variable("A", "1"), variable("a", "1")]).is_ok());
    }

    #[test]
    fn only_the_line_of_the_data_depends_on_the_variables() {
        let lines = |variables: &[Variable]| {
            let prelude = variables_prelude(variables).unwrap();
            let source = prelude.expose_secret();
            source.split('\n').map(str::to_owned).collect::<Vec<_>>()
        };
        let (none, some) = (lines(&[]), lines(&[variable("A", "1\n2\u{2028}3`${"), variable("B", "*/</script>")]));
        assert_eq!(none.len(), 4);
        assert_eq!(some.len(), 4);
        assert_eq!((&none[0], &none[2], &none[3]), (&some[0], &some[2], &some[3]));
        assert_eq!(none[1], r#""[]""#);
    }

    #[test]
    fn debug_output_of_a_variable_has_no_value() {
        assert!(!format!("{:?}", variable("A", "canary")).contains("canary"));
    }
}
