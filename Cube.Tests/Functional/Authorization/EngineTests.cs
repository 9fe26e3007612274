using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Authorization;

/// <summary>One suite for SpiceDB and the embedded engine, which serve the same HTTP API.</summary>
public abstract class EngineTests
{
    private const string Schema =
        """
        definition user {}

        definition group {
            relation member: user | group#member | user:*
            relation aaa: user
            relation bbb: user
            relation ccc: user
            relation parent: group
            permission both = aaa & bbb
            permission either = aaa + bbb
            permission only = aaa - bbb
            permission nobody = nil
            permission mixed = aaa + bbb & ccc - both
            permission view = member + parent->view
        }
        """;

    private protected abstract Task<EngineClient> CreateAsync();

    private async Task<EngineClient> WithSchemaAsync()
    {
        var engine = await CreateAsync();
        await engine.WriteSchemaAsync(Schema);
        return engine;
    }

    [Fact]
    public async Task Reading_the_schema_before_it_is_written_is_answered_with_not_found()
    {
        var engine = await CreateAsync();
        var (status, body, _) = await engine.SendAsync("/v1/schema/read", new { });
        Assert.Equal((404, 5), (status, body.GetProperty("code").GetInt32()));
    }

    [Fact]
    public async Task A_written_schema_is_read_back_with_the_same_meaning()
    {
        var engine = await WithSchemaAsync();
        var (status, body, _) = await engine.SendAsync("/v1/schema/read", new { });
        Assert.Equal(200, status);
        var read = Cube.Authorization.Schema.ZedSchema.Parse(body.GetProperty("schemaText").GetString()!);
        Assert.True(read.IsEquivalentTo(Cube.Authorization.Schema.ZedSchema.Parse(Schema)));
    }

    [Fact]
    public async Task Cubes_own_schema_is_accepted()
    {
        var engine = await CreateAsync();
        await engine.WriteSchemaAsync(Cube.Authorization.CubeSchema.Schema.Text);
    }

    [Theory]
    [InlineData("definition user {", 400, 3)]
    [InlineData("definition user {}\ndefinition user {}", 400, 3)]
    [InlineData("definition user {}\ndefinition group {\nrelation aa1: nope\n}", 400, 9)]
    [InlineData("definition user {}\ndefinition group {\nrelation aa1: user#nope\n}", 400, 9)]
    [InlineData("definition user {}\ndefinition group {\nrelation aa1: user\npermission bb1 = nope\n}", 400, 9)]
    [InlineData("definition user {}\ndefinition group {\nrelation aa1: user:*\npermission bb1 = aa1->aa1\n}", 400, 9)]
    [InlineData("definition user {}\ndefinition group {\nrelation aa1: user:*\n}\ndefinition doc {\nrelation bb1: group#aa1\n}", 400, 9)]
    public async Task An_invalid_schema_is_rejected(string schema, int status, int code)
    {
        var engine = await CreateAsync();
        var answer = await engine.SendAsync("/v1/schema/write", new { schema });
        Assert.Equal((status, code), (answer.Status, answer.Body.GetProperty("code").GetInt32()));
        Assert.Equal(["code", "message", "details"], answer.Body.EnumerateObject().Select(static member => member.Name));
    }

    [Theory]
    [InlineData("definition user {}")]
    [InlineData("definition user {}\ndefinition group {\nrelation aaa: user\n}")]
    [InlineData("definition user {}\ndefinition group {\nrelation aaa: user\nrelation member: user | group#member\n}")]
    public async Task A_schema_that_does_not_allow_a_stored_relationship_is_rejected(string schema)
    {
        var engine = await WithSchemaAsync();
        await engine.WriteAsync("TOUCH", "group:g#member@user:*");
        var (status, body, _) = await engine.SendAsync("/v1/schema/write", new { schema });
        Assert.Equal((400, 3), (status, body.GetProperty("code").GetInt32()));
    }

    [Theory]
    [InlineData("group:g#nope@user:u", 400, 9)]
    [InlineData("nope:g#aaa@user:u", 400, 9)]
    [InlineData("group:g#aaa@nope:u", 400, 9)]
    [InlineData("group:g#aaa@user:u#nope", 400, 9)]
    [InlineData("group:g#either@user:u", 400, 3)]
    [InlineData("group:g#aaa@group:h", 400, 3)]
    [InlineData("group:g#aaa@group:h#member", 400, 3)]
    [InlineData("group:g#aaa@user:*", 400, 3)]
    [InlineData("group:g.h#aaa@user:u", 400, 3)]
    [InlineData("group:#aaa@user:u", 400, 3)]
    [InlineData("group:*#aaa@user:u", 400, 3)]
    [InlineData("group:g#AAA@user:u", 400, 3)]
    public async Task A_relationship_that_the_schema_does_not_allow_is_rejected(string tuple, int status, int code)
    {
        var engine = await WithSchemaAsync();
        var answer = await engine.WriteAsync("TOUCH", tuple);
        Assert.Equal((status, code), (answer.Status, answer.Body.GetProperty("code").GetInt32()));
        Assert.Empty(await engine.ReadAsync(new { resourceType = "group" }));
    }

    [Fact]
    public async Task Create_rejects_an_existing_relationship_but_touch_and_delete_are_idempotent()
    {
        var engine = await WithSchemaAsync();
        Assert.Equal(200, (await engine.WriteAsync("CREATE", "group:g#aaa@user:u")).Status);
        var (status, body, _) = await engine.WriteAsync("CREATE", "group:g#aaa@user:v", "group:g#aaa@user:u");
        Assert.Equal((409, 6), (status, body.GetProperty("code").GetInt32()));
        Assert.Equal(["group:g#aaa@user:u"], await engine.ReadAsync(new { resourceType = "group" }));
        Assert.Equal(200, (await engine.WriteAsync("TOUCH", "group:g#aaa@user:u")).Status);
        Assert.Equal(200, (await engine.WriteAsync("DELETE", "group:g#aaa@user:nobody")).Status);
        Assert.Equal(400, (await engine.WriteAsync("TOUCH", "group:g#aaa@user:u", "group:g#aaa@user:u")).Status);
        Assert.Equal(400, (await engine.WriteAsync("UNSPECIFIED", "group:g#aaa@user:u")).Status);
    }

    [Fact]
    public async Task Nothing_is_written_when_a_precondition_does_not_hold()
    {
        var engine = await WithSchemaAsync();
        var (status, body, _) = await engine.SendAsync("/v1/relationships/write", new
        {
            updates = (object[])[new { operation = "OPERATION_TOUCH", relationship = new { resource = new { objectType = "group", objectId = "g" }, relation = "aaa", subject = new { @object = new { objectType = "user", objectId = "u" } } } }],
            optionalPreconditions = (object[])[new { operation = "OPERATION_MUST_MATCH", filter = new { resourceType = "group", optionalResourceId = "other" } }],
        });
        Assert.Equal((400, 9), (status, body.GetProperty("code").GetInt32()));
        Assert.Empty(await engine.ReadAsync(new { resourceType = "group" }));
    }

    [Fact]
    public async Task Relationships_are_read_and_deleted_by_filters()
    {
        var engine = await WithSchemaAsync();
        await engine.WriteAsync("TOUCH", "group:g#aaa@user:u", "group:g#member@group:h#member", "group:h#member@user:u", "group:h#member@user:*");
        Assert.Equal(4, (await engine.ReadAsync(new { resourceType = "group" })).Length);
        Assert.Equal(["group:g#member@group:h#member"], await engine.ReadAsync(new { resourceType = "group", optionalResourceId = "g", optionalRelation = "member" }));
        Assert.Equal(
            ["group:g#aaa@user:u", "group:h#member@user:u"],
            await engine.ReadAsync(new { resourceType = "group", optionalSubjectFilter = new { subjectType = "user", optionalSubjectId = "u" } }));
        Assert.Equal(
            ["group:g#member@group:h#member"],
            await engine.ReadAsync(new { resourceType = "group", optionalSubjectFilter = new { subjectType = "group", optionalRelation = new { relation = "member" } } }));
        Assert.Equal(200, (await engine.SendAsync("/v1/relationships/delete", new { relationshipFilter = new { resourceType = "group", optionalResourceId = "h" } })).Status);
        Assert.Equal(["group:g#aaa@user:u", "group:g#member@group:h#member"], await engine.ReadAsync(new { resourceType = "group" }));
        foreach (var filter in (object[])[new { }, new { resourceType = "nope" }, new { resourceType = "group", optionalRelation = "nope" }])
        {
            Assert.Equal(400, (await engine.SendAsync("/v1/relationships/read", new { relationshipFilter = filter })).Status);
        }
    }

    [Fact]
    public async Task Permissions_combine_union_intersection_and_exclusion()
    {
        var engine = await WithSchemaAsync();
        await engine.WriteAsync("TOUCH", "group:g#aaa@user:a", "group:g#aaa@user:x", "group:g#bbb@user:b", "group:g#bbb@user:x");
        string[] questions = [.. from permission in (string[])["both", "either", "only", "nobody"] from user in (string[])["a", "b", "x", "z"] select $"group:g#{permission}@user:{user}"];
        Assert.Equal(
            ["no", "no", "yes", "no", "yes", "yes", "yes", "no", "yes", "no", "no", "no", "no", "no", "no", "no"], await engine.CheckAsync(questions));
        Assert.Equal("yes", await engine.CheckAsync("group:g#only@user:a"));
    }

    [Fact]
    public async Task Nested_sets_arrows_and_wildcards_are_followed()
    {
        var engine = await WithSchemaAsync();
        await engine.WriteAsync("TOUCH", "group:a#member@group:b#member", "group:b#member@group:c#member", "group:c#member@user:u", "group:d#parent@group:a", "group:e#member@user:*");
        Assert.Equal("yes", await engine.CheckAsync("group:a#member@user:u"));
        Assert.Equal("yes", await engine.CheckAsync("group:d#view@user:u"));
        Assert.Equal("no", await engine.CheckAsync("group:d#member@user:u"));
        Assert.Equal("yes", await engine.CheckAsync("group:e#view@user:anybody"));
        Assert.Equal("no", await engine.CheckAsync("group:e#view@group:a#member"));
        Assert.Equal("yes", await engine.CheckAsync("group:a#member@group:c#member"));
        Assert.Equal("yes", await engine.CheckAsync("group:z#view@group:z#member"));
    }

    [Fact]
    public async Task Cyclic_relationships_are_an_error_and_never_grant_a_permission()
    {
        var engine = await WithSchemaAsync();
        await engine.WriteAsync("TOUCH", "group:x#member@group:y#member", "group:y#member@group:x#member", "group:p#parent@group:q", "group:q#parent@group:p");
        Assert.Equal("error 8", await engine.CheckAsync("group:x#member@user:u"));
        Assert.Equal("error 8", await engine.CheckAsync("group:p#view@user:u"));
        await engine.WriteAsync("TOUCH", "group:y#member@user:u");
        Assert.Equal("yes", await engine.CheckAsync("group:x#member@user:u"));
    }

    [Theory]
    [InlineData("group:g#nope@user:u", "error 9")]
    [InlineData("nope:g#member@user:u", "error 9")]
    [InlineData("group:g#member@nope:u", "error 9")]
    [InlineData("group:g#member@user:u#nope", "error 9")]
    [InlineData("group:g#member@user:*", "error 3")]
    [InlineData("group:*#member@user:u", "error 3")]
    [InlineData("group:a.b#member@user:u", "error 3")]
    [InlineData("group:unheard#member@user:of", "no")]
    public async Task An_invalid_check_is_an_error_and_not_a_denial(string question, string outcome)
    {
        var engine = await WithSchemaAsync();
        Assert.Equal(outcome, await engine.CheckAsync(question));
    }

    [Fact]
    public async Task A_bulk_check_answers_each_check_separately()
    {
        var engine = await WithSchemaAsync();
        await engine.WriteAsync("TOUCH", "group:g#aaa@user:u");
        Assert.Equal(["yes", "error 9", "no"], await engine.CheckAsync(["group:g#aaa@user:u", "group:g#nope@user:u", "group:g#bbb@user:u"]));
        Assert.Empty(await engine.CheckAsync(Array.Empty<string>()));
    }

    [Fact]
    public async Task An_invalid_message_is_rejected()
    {
        var engine = await WithSchemaAsync();
        Assert.Equal(400, (await engine.SendAsync("/v1/permissions/check", new { })).Status);
        Assert.Equal(400, (await engine.SendAsync("/v1/relationships/delete", new { })).Status);
        Assert.Equal(404, (await engine.SendAsync("/v1/nothing", new { })).Status);
    }
}

public sealed class SpiceDbEngineTests(SpiceDbServer spiceDb) : EngineTests
{
    private protected override async Task<EngineClient> CreateAsync() => new(await spiceDb.AddressOrSkipAsync(), Guid.NewGuid().ToString());
}

/// <summary>The trial store, which <c>SpiceDb__PresharedKey</c> opens; cleared before each test.</summary>
[Collection(EngineCollectionDefinition.Name)]
public sealed class EmbeddedEngineTests(EngineSystem system) : EngineTests
{
    private protected override Task<EngineClient> CreateAsync() => system.EmptyStoreAsync();

    [Fact]
    public async Task An_unknown_key_opens_no_store_and_the_trial_key_does_not_open_Cubes_own_store()
    {
        var stranger = new EngineClient(system.Cube.Identity, Guid.NewGuid().ToString());
        var (status, body, _) = await stranger.SendAsync("/v1/schema/read", new { });
        Assert.Equal((401, 16), (status, body.GetProperty("code").GetInt32()));
        Assert.Equal(401, (await new EngineClient(system.Cube.Identity, (await system.Cube.LoginAsync()).Access).SendAsync("/v1/schema/read", new { })).Status);

        var other = await system.EmptyStoreAsync();
        await other.WriteSchemaAsync(Cube.Authorization.CubeSchema.Schema.Text);
        Assert.Empty(await other.ReadAsync(new { resourceType = "domain" }));
        Assert.NotEmpty(await new EngineClient(system.Cube.Identity, system.Cube.EngineKey).ReadAsync(new { resourceType = "domain" }));
        Assert.Equal(404, (await system.Cube.SendAsync(HttpMethod.Post, "/v1/schema/read", system.Cube.EngineKey, new { })).Status);
    }
}
