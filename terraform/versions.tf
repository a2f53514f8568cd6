terraform {
  # 1.9 is the first whose variables may be validated against each other.
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}
