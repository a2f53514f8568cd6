"""A provider's schema is read from the text that cdktf's generator wrote."""

from __future__ import annotations

import pytest

from schemas.errors import FatalError
from terraform.ci.google_schema import Attribute, parse

GENERATED = """
export function bucketRuleToHclTerraform(struct?: BucketRule | cdktf.IResolvable): any {
  const attrs = {
    age: {
      value: cdktf.numberToHclTerraform(struct!.age),
      isBlock: false,
      type: "simple",
      storageClassType: "number",
    },
  };
}

export class BucketRuleOutputReference extends cdktf.ComplexObject {
  // age - computed: false, optional: false, required: true
  public get age() {
    return this.getNumberAttribute('age');
  }
}

export class BucketRuleList extends cdktf.ComplexList {
  public get(index: number): BucketRuleOutputReference { }
}
export function bucketStateToHclTerraform(struct?: BucketState): any {
  const attrs = {
  };
}

export class BucketStateOutputReference extends cdktf.ComplexObject {
  // since - computed: true, optional: false, required: false
  public get since() {
    return this.getStringAttribute('since');
  }
}

export class BucketStateList extends cdktf.ComplexList {
}
export class Bucket extends cdktf.TerraformResource {
  // name - computed: false, optional: false, required: true
  public get name() {
    return this.getStringAttribute('name');
  }

  // project - computed: true, optional: true, required: false
  public get project() {
    return this.getStringAttribute('project');
  }

  // zones - computed: false, optional: true, required: false
  public get zones() {
    return cdktf.Fn.tolist(this.getListAttribute('zones'));
  }

  // labels - computed: false, optional: true, required: false
  public get labels() {
    return this.getStringMapAttribute('labels');
  }

  // effective_labels - computed: true, optional: false, required: false
  private _effectiveLabels = new cdktf.StringMap(this, "effective_labels");

  // state - computed: true, optional: false, required: false
  private _state = new BucketStateList(this, "state", false);

  // rule - computed: false, optional: true, required: false
  private _rule = new BucketRuleList(this, "rule", true);

  // first_rule - computed: false, optional: false, required: true
  private _firstRule = new BucketRuleOutputReference(this, "first_rule");

  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      name: {
        value: cdktf.stringToHclTerraform(this._name),
        isBlock: false,
        type: "simple",
        storageClassType: "string",
      },
      project: {
        value: cdktf.stringToHclTerraform(this._project),
        isBlock: false,
        type: "simple",
        storageClassType: "string",
      },
      zones: {
        value: cdktf.listMapperHcl(cdktf.stringToHclTerraform, false)(this._zones),
        isBlock: false,
        type: "set",
        storageClassType: "stringList",
      },
      labels: {
        value: cdktf.hashMapperHcl(cdktf.stringToHclTerraform)(this._labels),
        isBlock: false,
        type: "map",
        storageClassType: "stringMap",
      },
      rule: {
        value: cdktf.listMapperHcl(bucketRuleToHclTerraform, true)(this._rule.internalValue),
        isBlock: true,
        type: "set",
        storageClassType: "BucketRuleList",
      },
      first_rule: {
        value: bucketRuleToHclTerraform(this._firstRule.internalValue),
        isBlock: true,
        type: "list",
        storageClassType: "BucketRuleList",
      },
    };
  }
}
"""


def test_an_attribute_is_required_optional_or_computed_as_the_comment_says():
    attributes = parse(GENERATED).attributes
    assert attributes["name"] == Attribute("string", required=True)
    assert attributes["project"] == Attribute("string", optional=True, computed=True)
    assert attributes["effective_labels"] == Attribute(["map", "string"], computed=True)


def test_collections_keep_their_kind_and_element():
    attributes = parse(GENERATED).attributes
    assert attributes["zones"].type == ["set", "string"]
    assert attributes["labels"].type == ["map", "string"]


def test_a_computed_object_is_an_attribute():
    attributes = parse(GENERATED).attributes
    assert attributes["state"] == Attribute(["list", ["object", {"since": "string"}]], computed=True)


def test_a_block_tells_how_often_it_may_stand():
    blocks = parse(GENERATED).blocks
    assert (blocks["rule"].nesting, blocks["rule"].min_items, blocks["rule"].max_items) == ("set", 0, 0)
    assert (blocks["first_rule"].nesting, blocks["first_rule"].min_items, blocks["first_rule"].max_items) == (
        "list",
        1,
        1,
    )
    assert blocks["rule"].block.attributes == {"age": Attribute("number", required=True)}


def test_text_of_another_generator_is_refused_rather_than_read_as_an_empty_schema():
    with pytest.raises(FatalError, match="another form"):
        parse(GENERATED.replace("export class", "export default class"))
