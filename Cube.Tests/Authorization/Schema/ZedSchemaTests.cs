using Cube.Authorization;
using Cube.Authorization.Schema;

namespace Cube.Tests.Authorization.Schema;

public sealed class ZedSchemaTests
{
    private const string Types = "definition user {}\ndefinition group {\n\trelation member: user\n\trelation parent: group\n";

    [Theory]
    [InlineData("definition user {")]
    [InlineData("definition user {}}")]
    [InlineData("definition User {}")]
    [InlineData("definition us {}")]
    [InlineData("caveat old(a int) { a > 1 }")]
    [InlineData("definition user {}\ndefinition user {}")]
    [InlineData("definition user {}\ndefinition group {\nrelation one: user relation two: user\n}")]
    [InlineData("definition user {}\ndefinition group {\nrelation a: user\n}")]
    [InlineData("definition user {}\ndefinition group {\nrelation one: user with old\n}")]
    [InlineData(Types + "permission view = member.any(member)\n}")]
    [InlineData(Types + "permission view = (member\n}")]
    [InlineData(Types + "permission view = member +\n}")]
    [InlineData(Types + "permission view = ?\n}")]
    public void A_syntax_error_is_reported_with_its_line(string text)
    {
        var exception = Assert.Throws<ZedException>(() => ZedSchema.Parse(text));
        Assert.True(exception.IsParseError);
        Assert.Matches("line [0-9]+: ", exception.Message);
    }

    [Theory]
    [InlineData(Types + "permission view = nobody\n}", "`nobody` not found under definition `group`")]
    [InlineData(Types + "permission view = nobody->member\n}", "`nobody` not found under definition `group`")]
    [InlineData(Types + "permission view = view\n}", "a cycle in permissions: view")]
    [InlineData(Types + "permission one = two + member\npermission two = one\n}", "a cycle in permissions")]
    [InlineData(Types + "permission one = member\npermission two = one->member\n}", "left hand side of an arrow")]
    [InlineData(Types + "relation all: group:*\npermission two = all->member\n}", "wildcard")]
    [InlineData(Types + "relation member: user\n}", "duplicate relation/permission name `member`")]
    [InlineData(Types + "permission member = parent\n}", "duplicate relation/permission name `member`")]
    [InlineData(Types + "relation one: nobody\n}", "object definition `nobody` not found")]
    [InlineData(Types + "relation one: group#nobody\n}", "`nobody` not found under definition `group`")]
    [InlineData(Types + "relation one: user | user\n}", "duplicate allowed subject type `user`")]
    public void A_semantic_error_is_rejected(string text, string named)
    {
        var exception = Assert.Throws<ZedException>(() => ZedSchema.Parse(text));
        Assert.False(exception.IsParseError);
        Assert.Contains(named, exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("aaa + bbb & ccc", "(aaa + bbb) & ccc")]
    [InlineData("aaa & bbb + ccc", "aaa & (bbb + ccc)")]
    [InlineData("aaa - bbb + ccc", "aaa - (bbb + ccc)")]
    [InlineData("aaa - bbb & ccc", "aaa - (bbb & ccc)")]
    [InlineData("aaa - bbb - ccc", "(aaa - bbb) - ccc")]
    public void Operators_have_SpiceDBs_precedence(string written, string meant)
    {
        Assert.Equal(Expression(meant), Expression(written));

        static ZedExpression Expression(string text) => ZedSchema.Parse(
            $"definition user {{}}\ndefinition doc {{\nrelation aaa: user\nrelation bbb: user\nrelation ccc: user\npermission view = {text}\n}}").Definitions["doc"].Permissions["view"].Expression;
    }

    [Fact]
    public void Comments_order_and_whitespace_do_not_affect_the_comparison()
    {
        var one = ZedSchema.Parse("definition user {}\n/** doc */ definition group { // c\n relation one: user |\n user:*\n /* x\n y */ permission two = (one) -\n nil\n}");
        var two = ZedSchema.Parse("definition group {\n\tpermission two = one - nil\n\trelation one: user:* | user\n}\ndefinition user {}");
        Assert.True(one.IsEquivalentTo(two));
        Assert.False(one.IsEquivalentTo(ZedSchema.Parse("definition group {\n\tpermission two = nil\n\trelation one: user:* | user\n}\ndefinition user {}")));
    }

    [Fact]
    public void Actions_are_read_from_the_schema_and_each_has_a_permission_and_a_scope()
    {
        Assert.Equal(41, CubeSchema.Actions.Count);
        Assert.Contains("llm_chat_completions", CubeSchema.Actions);
        Assert.DoesNotContain("organization", CubeSchema.Actions);
        Assert.DoesNotContain("model_user", CubeSchema.Actions);
        var token = CubeSchema.Schema.Definitions["token"];
        Assert.All(CubeSchema.Actions, action => Assert.True(token.Permissions.ContainsKey(CubeSchema.Scope(action)) && token.Relations.ContainsKey(action), action));
        Assert.Equal(CubeSchema.Actions.Count, token.Permissions.Count);
    }

    public static TheoryData<string> Definitions => [.. CubeSchema.Schema.Definitions.Keys];

    /// <summary>SpiceDB before 1.33.1 can wrongly deny there (CVE-2024-38361).</summary>
    [Theory]
    [MemberData(nameof(Definitions))]
    public void No_arrow_leads_to_an_exclusion(string name)
    {
        var schema = CubeSchema.Schema;
        var definition = schema.Definitions[name];
        Assert.All(definition.Permissions.Values.SelectMany(static permission => Arrows(permission.Expression)), arrow =>
        {
            var targets = definition.Relations[arrow.Relation].Subjects.Select(subject => schema.Definitions[subject.Type].Permissions.GetValueOrDefault(arrow.Name));
            Assert.All(targets.OfType<ZedPermission>(), static target => Assert.False(Excludes(target.Expression), target.Name));
        });

        static IEnumerable<ZedExpression.Arrow> Arrows(ZedExpression expression) => expression switch
        {
            ZedExpression.Arrow arrow => [arrow],
            ZedExpression.Combination both => [.. Arrows(both.Left), .. Arrows(both.Right)],
            _ => [],
        };

        static bool Excludes(ZedExpression expression) =>
            expression is ZedExpression.Combination both && (both.Operator == ZedOperator.Exclusion || Excludes(both.Left) || Excludes(both.Right));
    }

    [Fact]
    public void The_platform_has_no_permission_for_inference_audit_and_roles_of_a_domain()
    {
        var reached = CubeSchema.Schema.Definitions["domain"].Permissions.Values
            .Where(static permission => permission.Expression is ZedExpression.Combination { Right: ZedExpression.Arrow { Relation: "organization" } })
            .Select(static permission => permission.Name);
        Assert.Equal(["delete_permission", "disable_permission", "enable_permission", "read_permission"], reached.Order());
    }
}
