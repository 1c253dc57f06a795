//! Panics inside a simulation: a broken assertion of the product is a finding, and says so itself.

use std::any::Any;
use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

static LAST: Mutex<Option<String>> = Mutex::new(None);

/// From now on, remembers what a panic says, and where it was. It is still printed.
pub fn remember() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |information: &PanicHookInfo<'_>| {
        let location = information.location().map_or_else(String::new, |location| format!(" at {location}"));
        let message = format!("panicked{location}: {}", describe(information.payload()));
        // The first panic is the cause of those that follow it.
        LAST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
        print(information);
    }));
}

/// What the first panic said.
pub fn last_message() -> Option<String> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The message of a panic.
pub fn describe(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("(no message)").to_owned()
}
