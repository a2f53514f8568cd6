plugin "terraform" {
  enabled = true
  preset  = "all"
}

# The module is one folder of files named by what they make; main.tf would be an empty name.
rule "terraform_standard_module_structure" {
  enabled = false
}
