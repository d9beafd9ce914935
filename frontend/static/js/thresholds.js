// The threshold editor: every change is tried on the run by the server, through the code the worker judges with.
import { checkWhileTyped } from "./form-check.js";

const form = document.querySelector("form[data-try]");
checkWhileTyped(form, {
  address: form.dataset.try,
  delay: 400,
  place: "backtest",
  matters: ({ target }) => !["name", "person"].includes(target.name),
});
