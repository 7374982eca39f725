export const word = "double quotes"
