// Prints what a client's checks come to, each as a line of JSON, as python/tell.py does.

export const MODEL = "gpt-4o-mini";
export const CLAUDE = "claude-haiku-4-5";

export const PIXEL = // PNG, 1 x 1
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

export const CHAT = "Reply with exactly: Hello there";
export const STREAM = "[[delay 200ms]] Count from 1 to 5";
export const [BRIEF, NAME, GREETING, ASKED] = [
  "You are brief.",
  "My name is Ada.",
  "My name is Ada.",
  "Reply with exactly: Ada",
];
export const TOOLS = "What is the weather in Paris?";
export const again = (times) => `[[call ask_again {"times": ${times}}]]`;
export const THINKING = "[[thinking so be it]] Reply with exactly: Hello there";
export const STRUCTURED = "Tell me of Paris, population=2100000";
export const ERROR = "[[error 429]]";
export const BROKEN = "[[error mid-stream overloaded_error after 2]] one two three four";

export async function tell(...checks) {
  for (const check of checks) {
    let line;
    try {
      line = { answer: (await check()) ?? null };
    } catch (error) {
      line = { raised: `${error.name}: ${error.message}` };
    }
    console.log(JSON.stringify({ check: check.name, ...line }));
  }
}
