variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of Kafka, Flink, network, secrets and checkpoints."
  type        = string
  default     = "us-central1"
}

variable "location" {
  description = "BigQuery location: US, EU or a region."
  type        = string
  default     = "US"
}

variable "operators" {
  description = "IAM members who may act as writer and dbt."
  type        = set(string)
  default     = []
}

variable "grafana" {
  description = "IAM members that may act as grafana: the account of the machine that Grafana runs on."
  type        = set(string)
  default     = []
}

variable "reader_groups" {
  description = "Google groups whose members may read the marts."
  type        = set(string)
  default     = []
}

variable "budget" {
  description = "See the module's variable."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string, "USD")
    emails          = optional(set(string), [])
  })
}

variable "flink_image" {
  description = "Flink with the Kafka and Avro connectors, pinned."
  type        = string
}

variable "registry_url" {
  description = "Base URL of the schema registry."
  type        = string
}
