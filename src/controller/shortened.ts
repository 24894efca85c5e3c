/** The text, or as much of it as there is room for in a field of the API, ending in `…`. `longest` counts UTF-16 units. */
export function shortened(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}
