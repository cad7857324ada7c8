"use strict";
const sample = document.body.dataset.sample;
const answers = {};
const count = document.getElementById("count");
function tell(text) { document.getElementById("state").textContent = text; }
function save(item) {
  if (location.protocol === "file:") { tell("not saved yet: download the answers"); return; }
  fetch("answers", {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-Florenz": document.body.dataset.token},
    body: JSON.stringify({sample: sample, answers: {[item]: answers[item]}}),
  }).then(reply => tell(reply.ok ? "saved" : "not saved: download the answers"))
    .catch(() => tell("not saved: download the answers"));
}
for (const button of document.querySelectorAll("button[data-answer]")) {
  button.addEventListener("click", () => {
    const item = button.closest("li").dataset.item;
    answers[item] = button.dataset.answer;
    for (const other of button.parentElement.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    count.textContent = Object.keys(answers).length;
    save(item);
  });
}
document.getElementById("download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify({sample: sample, answers: answers}, null, 1)]));
  link.download = "verdicts-" + sample + ".json";
  link.click();
});
