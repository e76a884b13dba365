//! A model of one's own, an account that is never overdrawn: `cargo run -p partita-checker --example own_model`

use partita_checker::history::{Operation, Outcome, Value, jsonl};
use partita_checker::model::{Class, Model, Specification};

struct Account;

impl Specification for Account {
    fn initial(&self) -> Value {
        Value::Int(100)
    }

    fn classify(&self, operation: &Operation) -> Result<Option<Class>, String> {
        let action = match operation.f {
            "deposit" => "deposit",
            "withdraw" => "withdraw",
            _ => return Err("an account knows deposit and withdraw".to_owned()),
        };
        // What failed did not happen; what ended in `info` may have.
        let may_be = operation.outcome != Outcome::Fail;
        Ok(may_be.then(|| Class::new(action, operation.input, &Value::Null)))
    }

    fn step(&self, state: &Value, class: &Class) -> Option<Value> {
        let (Value::Int(balance), Value::Int(amount)) = (state, &class.argument) else {
            return None;
        };
        let change = if class.action == "deposit" {
            *amount
        } else {
            -amount
        };
        // None: impossible in this state.
        balance
            .checked_add(change)
            .filter(|balance| *balance >= 0)
            .map(Value::Int)
    }
}

const ACCOUNT: Model = Model {
    name: "account",
    summary: "deposit, withdraw",
    specification: |_| Box::new(Account),
};

#[expect(clippy::print_stdout, reason = "an example shows what it found")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two clients withdraw 80 of 100 at the same time, and both are told that they have it.
    let history = jsonl::read(&include_bytes!("account.jsonl")[..], false)?;
    let analysis = partita_checker::check(&history, &ACCOUNT, &Default::default(), &|| false)?;
    println!("{}: {}", analysis.verdict, analysis.reason);
    analysis
        .anomalies
        .iter()
        .for_each(|anomaly| println!("{}", anomaly.story));
    Ok(())
}
