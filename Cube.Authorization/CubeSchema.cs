using System.Buffers.Text;
using System.Collections.Frozen;
using System.Text;
using Cube.Authorization.Relationships;
using Cube.Authorization.Schema;

namespace Cube.Authorization;

/// <summary>Cube's own schema, <c>cube.zed</c>, and the names that code needs of it.</summary>
internal static class CubeSchema
{
    public static ZedSchema Schema { get; } = Load();

    /// <summary>What a role can have, in the order of the schema: every relation of a domain that takes members of roles and has a permission of its own.</summary>
    public static IReadOnlyList<string> Actions { get; } = [.. ActionsOf(Schema)];

    public static FrozenSet<string> KnownActions { get; } = Actions.ToFrozenSet();

    /// <summary>The models that a token or role may have are asked for with these.</summary>
    public static bool IsModelAction(string action) => action.StartsWith("llm_", StringComparison.Ordinal);

    public static ObjectRef Platform { get; } = new("platform", "cube");

    public static ObjectRef Domain(Guid id) => new("domain", id.ToString());

    public static ObjectRef Role(string id) => new("role", id);

    /// <summary>Ids of objects allow neither <c>:</c> nor <c>.</c>, which model ids are full of.</summary>
    public static ObjectRef Model(Guid domain, string model) => new("model", $"{domain}/{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(model))}");

    public static SubjectRef User(Guid id) => new(new ObjectRef("user", id.ToString()));

    public static ObjectRef Token(Guid id) => new("token", id.ToString());

    public static string Permission(string action) => action + "_permission";

    public static string Scope(string action) => action + "_scope";

    public const string PlatformAdmin = "admin";
    public const string UseModels = "use_models";
    public const string UseModel = "use";

    /// <summary>The relation of a deleted domain to the platform. It stays in the engine for good.</summary>
    public const string Deleted = "deleted";

    private static IEnumerable<string> ActionsOf(ZedSchema schema)
    {
        var domain = schema.Definitions["domain"];
        return domain.Relations.Keys.Where(name => domain.Permissions.ContainsKey(Permission(name)));
    }

    private static ZedSchema Load()
    {
        using var text = new StreamReader(typeof(CubeSchema).Assembly.GetManifestResourceStream("cube.zed")
            ?? throw new InvalidOperationException("cube.zed is not embedded."));
        return ZedSchema.Parse(text.ReadToEnd());
    }
}
