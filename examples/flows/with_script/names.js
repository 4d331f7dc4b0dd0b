// Scripts share `output` with the flow that runs them. They have no network and no files.
output.nameOf = function (prefix, serial) {
  const words = serial.split("_").filter((word) => word !== "");
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
  return (prefix + " " + name).trim();
};
