variable "project" {
  description = "Id of the Google Cloud project that gets everything. It must exist and have billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is an id like my-project-123 (6 to 30 lower case letters, digits and hyphens), not a name or number."
  }
}

variable "region" {
  description = "Region of what has to be in one: Kafka, Flink, network, secrets, checkpoints."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.region))
    error_message = "region is one like us-central1 or europe-west1; a zone (us-central1-a) or multi-region (US) is none."
  }
}

variable "location" {
  description = "BigQuery location of the datasets, and of the bucket that is loaded from: US, EU or a region. It cannot be changed later."
  type        = string
  default     = "US"

  validation {
    condition     = contains(["US", "EU"], var.location) || can(regex("^[a-z]+-[a-z]+[0-9]{1,2}$", var.location))
    error_message = "location is US, EU or a region like europe-west1."
  }
}

variable "prefix" {
  description = "Beginning of the names of everything but the datasets, so that two installations fit into a project."
  type        = string
  default     = "civicwire"

  validation {
    # A service account's id has at most 30 characters, and the longest ending here is -flink-nodes.
    condition     = can(regex("^[a-z][a-z0-9-]{1,16}[a-z0-9]$", var.prefix))
    error_message = "prefix is 3 to 18 lower case letters, digits and hyphens, and begins with a letter."
  }
}

variable "dataset" {
  description = "BigQuery dataset of the tables; <dataset>_stage and <dataset>_marts are made beside it."
  type        = string
  default     = "civicwire"

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_]{0,1000}$", var.dataset))
    error_message = "dataset is made of letters, digits and underscores, and does not begin with a digit."
  }
}

variable "labels" {
  description = "Labels of everything that can have some, beside application and managed_by."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for key, value in var.labels :
      can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))
    ])
    error_message = "labels have keys and values of at most 63 lower case letters, digits, hyphens and underscores; a key begins with a letter."
  }

  validation {
    condition     = length(setintersection(keys(var.labels), ["application", "managed_by", "written_by"])) == 0
    error_message = "labels application, managed_by and written_by are set by the module."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete tables, buckets with content, Kafka's network and the Flink cluster. Stage tables are never protected."
  type        = bool
  default     = true
}

variable "enable_apis" {
  description = "Enable the Google APIs that are needed. Off where another team does that."
  type        = bool
  default     = true
}

variable "grafana_tables" {
  description = "Tables that dashboards of your own read directly, not through a mart. Grafana may read these and the marts, nothing else."
  type        = set(string)
  default     = []
}

variable "reader_groups" {
  description = "Addresses of Google groups whose members may read the marts."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for group in var.reader_groups : can(regex("^[^@:\\s]+@[^@:\\s]+\\.[a-z]+$", group))])
    error_message = "reader_groups are addresses like analysts@example.org, without a group: in front."
  }
}

variable "replay" {
  description = "An account for `civicwire replay`: it may make datasets and later versions of topics, and exchange the live tables' rows. For as long as a replay stands."
  type        = bool
  default     = false
}

variable "impersonators" {
  description = "Who may act as a service account (producer, writer, dbt, grafana, flink, replay), in the place of keys: identity => IAM members."
  type        = map(set(string))
  default     = {}

  validation {
    condition = alltrue([
      for identity in keys(var.impersonators) :
      contains(["producer", "writer", "dbt", "grafana"], identity) || (identity == "flink" && (var.kafka != null || var.flink != null)) || (identity == "replay" && var.replay)
    ])
    error_message = "impersonators has the keys producer, writer, dbt, grafana; with kafka or flink, flink; and with replay, replay."
  }

  validation {
    condition = alltrue([
      for member in flatten([for members in values(var.impersonators) : tolist(members)]) :
      can(regex("^(user|group|serviceAccount):[^@:\\s]+@[^@:\\s]+$", member)) || can(regex("^principal(Set)?://iam\\.googleapis\\.com/.+[^*]$", member))
    ])
    error_message = "impersonators are user:, group: or serviceAccount: with an address, or one principal:// of a workload identity pool; never everybody."
  }
}

variable "secrets" {
  description = "Tokens kept in Secret Manager: name => identities that may read it. Terraform makes the entry, a person adds the value."
  type        = map(set(string))
  default     = { socrata-app-token = ["producer"] }

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[a-z][a-z0-9-]{0,200}$", name))])
    error_message = "secrets are named with lower case letters, digits and hyphens."
  }

  validation {
    condition = alltrue([
      for identity in flatten([for readers in values(var.secrets) : tolist(readers)]) :
      contains(["producer", "writer", "dbt", "grafana"], identity)
    ])
    error_message = "secrets are read by producer, writer, dbt or grafana."
  }
}

variable "loads_keep_days" {
  description = "Days after which a file in the bucket for loads is deleted."
  type        = number
  default     = 30

  validation {
    condition     = var.loads_keep_days >= 1 && var.loads_keep_days <= 365 && floor(var.loads_keep_days) == var.loads_keep_days
    error_message = "loads_keep_days is a whole number from 1 to 365."
  }
}

variable "kms_keys" {
  description = <<-EOT
    Keys of your own (CMEK); Google's are used where none is named. A key must be where the data is:
    warehouse for datasets and the bucket for loads (in location), regional for secrets, Kafka and checkpoints (in region).
  EOT
  type = object({
    warehouse = optional(string)
    regional  = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.kms_keys.warehouse == null || can(regex("^projects/[^/]+/locations/${lower(var.location)}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_keys.warehouse))
    error_message = "kms_keys.warehouse is projects/…/locations/…/keyRings/…/cryptoKeys/…, in the location of the datasets (us or eu for US or EU)."
  }

  validation {
    condition     = var.kms_keys.regional == null || can(regex("^projects/[^/]+/locations/${var.region}/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_keys.regional))
    error_message = "kms_keys.regional is projects/…/locations/…/keyRings/…/cryptoKeys/…, in region."
  }
}

variable "budget" {
  description = "Alert on the project's monthly cost: by mail to the billing account's administrators and to emails, at shares of amount."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string, "USD")
    thresholds      = optional(set(number), [0.5, 0.9, 1.0])
    emails          = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account is an id like 012345-6789AB-CDEF01."
  }

  validation {
    condition     = var.budget == null || try(var.budget.amount >= 1 && floor(var.budget.amount) == var.budget.amount, false)
    error_message = "budget.amount is a whole number of at least 1, in budget.currency."
  }

  validation {
    condition     = var.budget == null || try(can(regex("^[A-Z]{3}$", var.budget.currency)), false)
    error_message = "budget.currency is the billing account's currency, like USD or EUR."
  }

  validation {
    condition = var.budget == null || try(
      length(var.budget.thresholds) > 0 && alltrue([for share in var.budget.thresholds : share > 0 && share <= 2]), false
    )
    error_message = "budget.thresholds are shares of the amount: above 0, at most 2, 1 for all of it."
  }

  validation {
    # A project has no more than five channels on a budget.
    condition = var.budget == null || try(
      length(var.budget.emails) <= 5 && alltrue([for email in var.budget.emails : can(regex("^[^@:\\s]+@[^@:\\s]+$", email))]), false
    )
    error_message = "budget.emails are at most five addresses."
  }
}

variable "kafka" {
  description = "Managed Service for Apache Kafka with civicwire's topics and ACLs; null for none."
  type = object({
    vcpus      = optional(number, 3)
    memory_gib = optional(number, 12)
  })
  default = null

  validation {
    condition     = var.kafka == null || try(var.kafka.vcpus >= 3 && floor(var.kafka.vcpus) == var.kafka.vcpus, false)
    error_message = "kafka.vcpus is a whole number of at least 3: Google spreads brokers over three zones."
  }

  validation {
    condition     = var.kafka == null || try(var.kafka.memory_gib >= var.kafka.vcpus && var.kafka.memory_gib <= 8 * var.kafka.vcpus, false)
    error_message = "kafka.memory_gib is 1 to 8 for each vCPU."
  }
}

variable "flink" {
  description = <<-EOT
    A GKE Autopilot cluster for a Flink session, and the manifest to apply to it (output flink_manifest); null for none.
    image is Flink with the Kafka and Avro connectors, pinned by a tag that is not latest, or by digest.
    A change waits up to checkpoint_seconds before readers see it; every checkpoint costs writes to the bucket (README.md).
  EOT
  type = object({
    image                   = string
    version                 = optional(string, "2.3.0")
    namespace               = optional(string, "civicwire")
    task_managers           = optional(number, 1)
    slots                   = optional(number, 4)
    checkpoint_seconds      = optional(number, 60)
    task_manager_cpus       = optional(number, 1)
    task_manager_memory_gib = optional(number, 4)
  })
  default = null

  validation {
    condition = var.flink == null || try(
      can(regex("^[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})$", var.flink.image)) && !endswith(var.flink.image, ":latest"), false
    )
    error_message = "flink.image ends with a tag other than latest or with @sha256:…, so that a restart runs what was tested."
  }

  validation {
    condition     = var.flink == null || try(can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", var.flink.version)), false)
    error_message = "flink.version is the image's Flink version, like 2.3.0."
  }

  validation {
    condition     = var.flink == null || try(can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.flink.namespace)) && !contains(["default", "kube-system"], var.flink.namespace), false)
    error_message = "flink.namespace is a Kubernetes name of its own, not default or kube-system."
  }

  validation {
    condition = var.flink == null || try(alltrue([
      for count in [var.flink.task_managers, var.flink.slots] : count >= 1 && count <= 100 && floor(count) == count
    ]), false)
    error_message = "flink.task_managers and flink.slots are whole numbers from 1 to 100."
  }

  validation {
    # Two jobs, normalize and windows, each two slots wide; with fewer the second waits for ever.
    condition     = var.flink == null || try(var.flink.task_managers * var.flink.slots >= 4, false)
    error_message = "flink.task_managers times flink.slots is at least 4: two jobs of parallelism 2."
  }

  validation {
    # Transactions of the jobs end after 300 s (stream_jobs/tables.py); a checkpoint has to come well before that.
    condition     = var.flink == null || try(var.flink.checkpoint_seconds >= 1 && var.flink.checkpoint_seconds <= 120 && floor(var.flink.checkpoint_seconds) == var.flink.checkpoint_seconds, false)
    error_message = "flink.checkpoint_seconds is a whole number from 1 to 120."
  }

  validation {
    # Autopilot gives 1 to 6.5 GiB for each vCPU; Flink itself takes 2 GiB before the first job.
    condition = var.flink == null || try(
      var.flink.task_manager_memory_gib >= 2 &&
      var.flink.task_manager_memory_gib >= var.flink.task_manager_cpus &&
      var.flink.task_manager_memory_gib <= 6.5 * var.flink.task_manager_cpus, false
    )
    error_message = "flink.task_manager_memory_gib is at least 2, and 1 to 6.5 for each of flink.task_manager_cpus."
  }
}

variable "registry_url" {
  description = "Base URL of the Confluent-compatible schema registry, for the .env file; Google Cloud has none that this module makes."
  type        = string
  default     = null

  validation {
    condition     = var.registry_url == null || can(regex("^https?://[^\\s/]+", var.registry_url))
    error_message = "registry_url begins with http:// or https://."
  }
}

variable "network_cidr" {
  description = "Addresses of the private network of Kafka and Flink: a /16, of which Kafka and nodes, pods and services get a part each."
  type        = string
  default     = "10.64.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.network_cidr, 4, 15)) && endswith(var.network_cidr, "/16")
    error_message = "network_cidr is a private range that ends with /16, like 10.64.0.0/16."
  }
}
