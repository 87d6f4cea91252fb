// What was done with an answer, told to the service: students learn from what people keep.

import { ask } from "./api.js";
import { fullGrade, sameSettings } from "./grade.js";

/**
 * Tell what became of the state's answer: `exported` or `discarded`. Gives a sentence to show; never throws, since
 * nothing depends on it. Where no answer was given there is nothing to tell, and the sentence is empty.
 */
export async function tell(event, tools, { answer, grade }, project) {
  if (!answer) return "";
  const body = { request_id: answer.request_id, event, project_id: project };
  if (event === "exported") body.tools = kept(tools, answer, grade);
  try {
    await ask("/feedback", { body, quietly: true });
  } catch (error) {
    return `Your feedback did not arrive (${error.message}) Nothing else depends on it.`;
  }
  return event === "exported" ? "Noted as a good answer." : "Noted as a bad answer.";
}

/** The tools whose settings are still as they were answered. */
function kept(tools, answer, grade) {
  const answered = fullGrade(tools, answer);
  const same = tools.filter((tool) => sameSettings(tool, grade[tool.name], answered[tool.name]));
  return same.map(({ name }) => name).filter((name) => name in answer.sources);
}
