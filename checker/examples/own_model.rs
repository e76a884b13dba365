//! A model of one's own: a bank account that is never overdrawn. Run by `cargo run -p partita-checker --example own_model`.

use partita_checker::model::{Class, Model, Options, Specification};
use partita_history::{Operation, Outcome, Value, jsonl};

struct Account;

impl Specification for Account {
    fn initial(&self) -> Value {
        Value::Int(100)
    }
    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        let action = match operation.f {
            "deposit" => "deposit",
            "withdraw" => "withdraw",
            other => return Err(format!("an account knows no {other}")),
        };
        // What failed did not happen; what ended in `info` may have.
        let may_be = operation.outcome != Outcome::Fail;
        let (argument, result) = (operation.input.clone(), Value::Null);
        Ok(may_be.then_some(Class {
            action,
            argument,
            result,
        }))
    }
    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        match (state, &class.argument, class.action) {
            (Value::Int(balance), Value::Int(amount), "deposit") => Some(Value::Int(balance + amount)),
            (Value::Int(balance), Value::Int(amount), _) if amount <= balance => {
                Some(Value::Int(balance - amount))
            }
            _ => None, // Impossible in this state.
        }
    }
}

const ACCOUNT: Model = Model {
    name: "account",
    summary: "deposit, withdraw",
    specification: |_: &Options| Box::new(Account),
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two clients withdraw 80 of 100 at the same time, and both are told that they may.
    let history = jsonl::read(&include_bytes!("account.jsonl")[..], false)?;
    let analysis = partita_checker::check(&history, &ACCOUNT, &Options::default(), &|| false)?;
    let story = analysis.anomalies.first().map_or("", |anomaly| &anomaly.story);
    Ok(std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("{}\n{story}\n", analysis.verdict).as_bytes(),
    )?)
}
