using CsCheck;
using Cube.Authorization;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Authorization;

/// <summary>Compares SpiceDB and the embedded engine on random schemas, relationships and checks.</summary>
[Collection(EngineCollectionDefinition.Name)]
public sealed class DifferentialTests(EngineSystem system, SpiceDbServer spiceDb)
{
    private const int QuestionsEach = 50;

    private sealed record World(string Schema, string[] Tuples, string[] Questions)
    {
        public override string ToString() => $"{Schema}\n{string.Join('\n', Tuples)}\n{string.Join('\n', Questions)}";
    }

    [Fact]
    public async Task Both_engines_give_the_same_result_in_all_random_cases()
    {
        var address = await spiceDb.AddressOrSkipAsync();
        var asked = 0;
        await Gen.OneOf(CubesOwn, RandomSchema).SampleAsync(async world =>
        {
            var (theirs, ours) = (new EngineClient(address, Guid.NewGuid().ToString()), await system.EmptyStoreAsync());
            foreach (var engine in (EngineClient[])[theirs, ours])
            {
                await engine.WriteSchemaAsync(world.Schema);
                var (status, _, text) = await engine.WriteAsync("TOUCH", world.Tuples);
                Assert.True(status == 200, text);
            }

            Assert.Equal(await AskAsync(theirs, world), await AskAsync(ours, world));
            asked += world.Questions.Length;
        }, iter: TestLevel.Pick(30, 200), threads: 1);
        Assert.True(asked >= TestLevel.Pick(1500, 10_000), $"{asked} questions");
    }

    /// <summary>SpiceDB takes very long on cyclic relationships; the embedded engine must not.</summary>
    [Fact]
    public async Task The_embedded_engine_terminates_on_cyclic_relationships()
    {
        await Circles.SampleAsync(async world =>
        {
            var engine = await system.EmptyStoreAsync();
            await engine.WriteSchemaAsync(world.Schema);
            await engine.WriteAsync("TOUCH", world.Tuples);
            Assert.All(await engine.CheckAsync(world.Questions), static answer => Assert.Contains(answer, (string[])["yes", "no", "error 8"]));
        }, iter: TestLevel.Pick(5, 20), threads: 1);
    }

    /// <summary>
    /// Uses bulk checks where SpiceDB supports them: version 1.30 denies in a bulk check, but allows in a single check, a set that is its own subject (<c>team:t#member@team:t#member</c>).
    /// </summary>
    private static async Task<string[]> AskAsync(EngineClient engine, World world)
    {
        var (sets, others) = (world.Questions.Where(IsOfSet).ToArray(), world.Questions.Where(static question => !IsOfSet(question)).ToArray());
        List<string> answers = [.. await engine.CheckAsync(others)];
        foreach (var question in sets)
        {
            answers.Add(await engine.CheckAsync(question));
        }

        return [.. answers];

        static bool IsOfSet(string question) => question[question.IndexOf('@', StringComparison.Ordinal)..].Contains('#', StringComparison.Ordinal);
    }

    private static Gen<World> CubesOwn
    {
        get
        {
            var (users, roles, domains, tokens) = (Names("user", 4), Names("role", 4), Names("domain", 3), Names("token", 2));
            var models = Gen.OneOf("model:d0/bTA", "model:d0/bTE", "model:d1/bTA");
            var action = Gen.OneOf(CubeSchema.Actions.ToArray());
            var llm = Gen.OneOf(CubeSchema.Actions.Where(CubeSchema.IsModelAction).ToArray());
            var other = Gen.OneOf(CubeSchema.Actions.Where(static name => !CubeSchema.IsModelAction(name)).ToArray());
            var tuples = Gen.OneOf(
                Gen.Select(roles, users, static (role, user) => $"{role}#member@{user}"),
                Gen.Select(domains, action, roles, static (domain, name, role) => $"{domain}#{name}@{role}#member"),
                Gen.Select(domains, action, roles, static (domain, name, role) => $"{domain}#{name}@{role}#member"),
                Gen.Select(domains, roles, static (domain, role) => $"{domain}#model_user@{role}#member"),
                Gen.Select(models, roles, static (model, role) => $"{model}#user@{role}#member"),
                domains.Select(static domain => $"{domain}#organization@platform:cube"),
                users.Select(static user => $"platform:cube#administrator@{user}"),
                Gen.Select(roles, domains, static (role, domain) => $"{role}#entity@{domain}"),
                Gen.Select(roles, domains, static (role, domain) => $"{role}#built_in_role@{domain}"),
                Gen.Select(tokens, llm, domains, static (token, name, domain) => $"{token}#{name}@{domain}"),
                Gen.Select(tokens, llm, models, static (token, name, model) => $"{token}#{name}@{model}"),
                Gen.Select(tokens, domains, static (token, domain) => $"{token}#llm_any@{domain}"),
                Gen.Select(tokens, other, domains, static (token, name, domain) => $"{token}#{name}@{domain}"),
                Gen.Select(tokens, domains, static (token, domain) => $"{token}#domain_any@{domain}"));
            var questions = Gen.OneOf(
                Gen.Select(domains, action, users, static (domain, name, user) => $"{domain}#{name}_permission@{user}"),
                Gen.Select(domains, users, static (domain, user) => $"{domain}#use_models@{user}"),
                Gen.Select(models, users, static (model, user) => $"{model}#use@{user}"),
                users.Select(static user => $"platform:cube#admin@{user}"),
                Gen.Select(roles, Gen.OneOf("delete", "update", "read", "add_user", "remove_user", "view_user"), users, static (role, name, user) => $"{role}#{name}@{user}"),
                Gen.Select(domains, action, roles, static (domain, name, role) => $"{domain}#{name}_permission@{role}#member"),
                Gen.Select(tokens, action, domains, static (token, name, domain) => $"{token}#{name}_scope@{domain}"),
                Gen.Select(tokens, action, models, static (token, name, model) => $"{token}#{name}_scope@{model}"));
            return Gen.Select(tuples.HashSet[20, 120], questions.Array[QuestionsEach], static (written, asked) => new World(CubeSchema.Schema.Text, [.. written], asked));
        }
    }

    private static Gen<World> RandomSchema => Worlds(acyclic: true);

    private static Gen<World> Circles => Worlds(acyclic: false);

    private static Gen<World> Worlds(bool acyclic) => Gen.Select(
        Expressions("+", "&"), Expressions("+", "&", "-").Array[3], Tuples(acyclic).HashSet[10, 60], Questions.Array[QuestionsEach],
        static (first, others, tuples, questions) => new World(SchemaOf([first, .. others]), [.. tuples], questions));

    /// <summary>
    /// Templates of permissions. <c>{n}</c> is an earlier permission, or <c>nil</c> when there is none. Arrows do not lead to exclusions, where
    /// SpiceDB before 1.33.1 can wrongly deny (CVE-2024-38361), as version 1.30 does here.
    /// </summary>
    private static Gen<string> Expressions(params string[] signs) => Gen.Recursive<string>((depth, expression) =>
    {
        var leaf = Gen.OneOf("raa", "rbb", "rcc", "parent->raa", "parent->perm0", "{0}", "{1}", "nil", "team->all", "team->member");
        return depth > 3
            ? leaf
            : Gen.OneOf(
                leaf,
                Gen.Select(expression, Gen.OneOf(signs), expression, static (left, sign, right) => $"{left} {sign} {right}"),
                Gen.Select(expression, Gen.OneOf(signs), expression, static (left, sign, right) => $"({left}) {sign} ({right})"));
    });

    private static string SchemaOf(string[] expressions)
    {
        var permissions = expressions.Select(static (text, i) =>
            $"    permission perm{i} = {text.Replace("{0}", i > 0 ? "perm0" : "nil", StringComparison.Ordinal).Replace("{1}", i > 1 ? $"perm{i - 1}" : "nil", StringComparison.Ordinal)}");
        return $$"""
            definition user {}

            definition team {
                relation member: user | team#member | team#all
                relation open: user:*
                relation banned: user | user:*
                permission all = member + open
                permission some = all - banned
            }

            definition doc {
                relation parent: doc
                relation team: team | team#member
                relation raa: user | team#member | user:*
                relation rbb: user | team#all
                relation rcc: user | user:* | doc#raa | doc#perm0
            {{string.Join('\n', permissions)}}
            }
            """;
    }

    private static Gen<string> Tuples(bool acyclic)
    {
        var (users, index) = (Gen.OneOf(Names("user", 4), Names("user", 4), Gen.Const("user:*")), Gen.Int[0, 4]);
        // Ordered, so that there are no cycles, or in any order.
        var pair = Gen.Select(index, index).Where(two => !acyclic || two.Item1 < two.Item2);
        return Gen.OneOf(
            Gen.Select(index, Names("user", 4), static (team, user) => $"team:t{team}#member@{user}"),
            index.Select(static team => $"team:t{team}#open@user:*"),
            Gen.Select(index, users, static (team, user) => $"team:t{team}#banned@{user}"),
            Gen.Select(pair, Gen.OneOf("member", "all"), static (two, set) => $"team:t{two.Item1}#member@team:t{two.Item2}#{set}"),
            pair.Select(static two => $"doc:d{two.Item1}#parent@doc:d{two.Item2}"),
            Gen.Select(index, users, static (doc, user) => $"doc:d{doc}#raa@{user}"),
            Gen.Select(index, index, static (doc, team) => $"doc:d{doc}#raa@team:t{team}#member"),
            Gen.Select(index, Names("user", 4), static (doc, user) => $"doc:d{doc}#rbb@{user}"),
            Gen.Select(index, index, static (doc, team) => $"doc:d{doc}#rbb@team:t{team}#all"),
            Gen.Select(index, users, static (doc, user) => $"doc:d{doc}#rcc@{user}"),
            Gen.Select(pair, Gen.OneOf("raa", "perm0"), static (two, set) => $"doc:d{two.Item1}#rcc@doc:d{two.Item2}#{set}"),
            Gen.Select(index, index, Gen.OneOf("", "#member"), static (doc, team, set) => $"doc:d{doc}#team@team:t{team}{set}"));
    }

    private static Gen<string> Questions
    {
        get
        {
            var index = Gen.Int[0, 5];
            var subjects = Gen.OneOf(Names("user", 5), Names("user", 5), Names("user", 5), index.Select(static i => $"team:t{i}#member"), index.Select(static i => $"team:t{i}#all"), index.Select(static i => $"doc:d{i}#raa"));
            return Gen.OneOf(
                Gen.Select(index, Gen.OneOf("perm0", "perm1", "perm2", "perm3", "raa", "rbb", "rcc"), subjects, static (doc, name, subject) => $"doc:d{doc}#{name}@{subject}"),
                Gen.Select(index, Gen.OneOf("member", "all", "some"), subjects, static (team, name, subject) => $"team:t{team}#{name}@{subject}"));
        }
    }

    private static Gen<string> Names(string type, int count) => Gen.Int[0, count - 1].Select(i => $"{type}:{type[0]}{i}");
}
