// Passwords are for nobody's eyes.

/** A URL, or a text that has some, with the passwords replaced by `***`, for people's eyes. */
export function hidePassword(text: string): string {
  return text
    .replace(/([a-z][a-z\d+.-]*:\/\/[^:@/"\s]*):[^"\s]*@/gi, '$1:***@')
    .replace(/([?&]\w*password=)[^&"\s]*/gi, '$1***');
}
