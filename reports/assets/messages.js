// The messages of a simulated run, as they were drawn when the page was made.

function messagesView() {
  const picture = document.querySelector("#messages > svg");
  if (!picture) return null;
  return make("section", { "aria-labelledby": "messages-title" },
    make("h2", { id: "messages-title" }, "Messages"),
    make("p", { class: "small soft" }, "The end of the run. Time runs downwards; a green lane leads, a yellow one stands for election, a dotted one is down; a broken arrow was lost. What a message says in full stands below, by its number."),
    make("div", { class: "messages", tabindex: 0, role: "region", "aria-label": "Message sequence diagram" }, picture));
}

/** Scrolls to what matters: where the violation is, or else where the lanes end. */
function showEnd(view) {
  const box = view.querySelector(".messages");
  const marks = box.querySelectorAll(".label");
  const found = box.querySelectorAll(".violation");
  const last = (found.length ? found : marks)[(found.length || marks.length) - 1];
  if (last) box.scrollTop += last.getBoundingClientRect().bottom - box.getBoundingClientRect().bottom + 40;
}
