variable "project" {
  description = "Id of the Google Cloud project that holds the state; best one of its own."
  type        = string
}

variable "location" {
  description = "Location of the bucket: US, EU or a region."
  type        = string
  default     = "US"
}

variable "operators" {
  description = "IAM members who run Terraform: user:…, group:… or serviceAccount:…"
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount):[^@:\\s]+@[^@:\\s]+$", member))])
    error_message = "operators are user:, group: or serviceAccount: with an address; never everybody."
  }
}
