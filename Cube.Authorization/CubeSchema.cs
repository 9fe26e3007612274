using System.Buffers.Text;
using System.Collections.Frozen;
using System.Text;
using Cube.Authorization.Relationships;
using Cube.Authorization.Schema;

namespace Cube.Authorization;

/// <summary>Cube's authorization schema, <c>cube.zed</c>, and the names from it that code uses.</summary>
internal static class CubeSchema
{
    public static ZedSchema Schema { get; } = Load();

    /// <summary>The actions that a role can have, in the order of the schema: every relation of <c>domain</c> with a permission <c>{relation}_permission</c>.</summary>
    public static IReadOnlyList<string> Actions { get; } = [.. ActionsOf(Schema)];

    public static FrozenSet<string> KnownActions { get; } = Actions.ToFrozenSet();

    /// <summary>Whether the action concerns models. A role or a token can narrow these actions to named models.</summary>
    public static bool IsModelAction(string action) => action.StartsWith("llm_", StringComparison.Ordinal);

    public static ObjectRef Platform { get; } = new("platform", "cube");

    public static ObjectRef Domain(Guid id) => new("domain", id.ToString());

    public static ObjectRef Role(string id) => new("role", id);

    /// <summary>The model id is base64url-encoded, because SpiceDB's object ids allow neither <c>:</c> nor <c>.</c>.</summary>
    public static ObjectRef Model(Guid domain, string model) => new("model", $"{domain}/{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(model))}");

    public static SubjectRef User(Guid id) => new(new ObjectRef("user", id.ToString()));

    public static ObjectRef Token(Guid id) => new("token", id.ToString());

    public static string Permission(string action) => action + "_permission";

    public static string Scope(string action) => action + "_scope";

    public const string UseModels = "use_models";
    public const string UseModel = "use";

    /// <summary>The relation of a deleted domain to the platform. The engine keeps it permanently.</summary>
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
