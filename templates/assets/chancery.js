// An answer that goes back to an application by a form. Without this script its button does the same.
document.querySelector("form.by-itself")?.submit();

// Adds the button that shows a password. Without this script the page works the same, only without it.
for (const button of document.querySelectorAll(".secret button")) {
  const field = button.previousElementSibling;
  const show = (visible) => {
    field.type = visible ? "text" : "password";
    button.textContent = visible ? button.dataset.hide : button.dataset.show;
  };
  button.hidden = false;
  button.addEventListener("click", () => show(field.type === "password"));
  // A password manager saves what it can tell to be a password.
  field.form.addEventListener("submit", () => show(false));
}

// After sign-out: on to the application when the frames of the others are there, or when that takes too long.
const onward = document.querySelector("a[data-continue]");
if (onward) {
  const go = () => location.replace(onward.href);
  if (document.readyState === "complete") go();
  addEventListener("load", go, { once: true });
  setTimeout(go, 3000);
}
