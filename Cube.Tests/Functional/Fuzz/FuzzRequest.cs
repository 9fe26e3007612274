using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Fuzz;

/// <summary>A user of one of the two domains, or a caller without a token.</summary>
/// <param name="Domain">The caller's own domain.</param>
/// <param name="Token">An access token or a personal access token; null for a request without one.</param>
/// <param name="Ids">Ids of the domain, roles and users of the caller, so that no domain invites a user of the other domain.</param>
internal sealed record FuzzCaller(string Name, Guid Domain, string? Token, IReadOnlyList<string> Ids);

/// <summary>One generated request. The same seed and number give the same request, except for the ids of users and domains.</summary>
internal sealed record FuzzRequest(HttpMethod Method, string Path, FuzzCaller Caller, Guid? NamedDomain, byte[]? Body, string? ContentType)
{
    private static readonly string[] _endings =
    [
        "POST /users/tokens/revoke", "PATCH /users/secret", "DELETE /domains/{id}", "POST /domains/{id}/disable", "DELETE /domains/{id}/roles", "DELETE /users/{id}", "DELETE /pats",
        "POST /domains/{id}/roles/{roleId}/members/delete-all", "DELETE /domains/{id}/roles/{roleId}",
    ];

    /// <param name="callers">The last one has no token.</param>
    public static FuzzRequest Create(Random random, IReadOnlyList<FuzzOperation> operations, IReadOnlyList<FuzzCaller> callers)
    {
        var values = new FuzzValues(random);
        var (operation, caller) = (Choose(operations, values), values.OneIn(12) ? callers[^1] : callers[values.Below(callers.Count - 1)]);
        while (EndsAccess(operation) && !values.OneIn(20))
        {
            operation = Choose(operations, values);
        }

        // One in four names the domain of another caller.
        Guid? domain = operation.Template.Contains("{domainId}", StringComparison.Ordinal) || operation.Template.StartsWith("/domains/{id}", StringComparison.Ordinal)
            ? values.OneIn(4) ? values.Of(callers).Domain : caller.Domain
            : null;
        var path = PathOf(operation, domain, caller, values) + QueryOf(operation, values);
        var method = values.OneIn(30) ? values.Of((string[])["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"]) : operation.Method;
        var (body, type) = BodyOf(operation, caller, values);
        return new FuzzRequest(new HttpMethod(method), path, caller, domain, body, type);
    }

    /// <summary>Half of the requests go to endpoints that read a body: most code reads bodies.</summary>
    private static FuzzOperation Choose(IReadOnlyList<FuzzOperation> operations, FuzzValues values)
    {
        var operation = values.Of(operations);
        return operation.Body is null && values.OneIn(2) ? values.Of([.. operations.Where(static other => other.Body is not null)]) : operation;
    }

    /// <summary>After such a request, Cube rejects most requests of the caller for one reason. It is therefore generated less often.</summary>
    private static bool EndsAccess(FuzzOperation operation) => _endings.Contains($"{operation.Method} {operation.Template}");

    public HttpRequestMessage ToMessage()
    {
        var message = new HttpRequestMessage(Method, Path);
        if (Caller.Token is not null)
        {
            message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Caller.Token);
        }

        if (Body is not null)
        {
            message.Content = new ByteArrayContent(Body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", ContentType);
        }

        return message;
    }

    public override string ToString() => $"{Method} {Path[..Math.Min(Path.Length, 300)]} as {Caller.Name} ({ContentType}): {(Body is null ? "no body" : System.Text.Encoding.UTF8.GetString(Body.AsSpan(0, Math.Min(Body.Length, 1500))))}";

    private static string PathOf(FuzzOperation operation, Guid? domain, FuzzCaller caller, FuzzValues values)
    {
        var template = operation.Template;
        if (domain is not null && template.StartsWith("/proxy/", StringComparison.Ordinal) && values.OneIn(2))
        {
            template = template["/proxy".Length..];
        }

        var segments = template.Split('/').Select(segment => segment switch
        {
            "{domainId}" => $"{domain}",
            "{id}" when domain is not null => $"{domain}",
            "{model}" => values.OneIn(3) ? Uri.EscapeDataString(values.Text()) : "m",
            ['{', ..] => values.OneIn(4) ? Uri.EscapeDataString(values.Text()) : values.Of(caller.Ids),
            _ => segment,
        });
        return string.Join('/', segments);
    }

    private static string QueryOf(FuzzOperation operation, FuzzValues values)
    {
        var chosen = operation.Query.Where(_ => values.OneIn(3)).Select(name => $"{name}={Uri.EscapeDataString(values.Text())}").ToList();
        return chosen.Count == 0 ? "" : $"?{string.Join('&', chosen)}";
    }

    private static (byte[]? Body, string? ContentType) BodyOf(FuzzOperation operation, FuzzCaller caller, FuzzValues values)
    {
        if (operation.IsForm)
        {
            return (FuzzBodies.Form(values), $"multipart/form-data; boundary={FuzzBodies.Boundary}");
        }

        if (operation.Method is "GET" && !values.OneIn(20))
        {
            return (null, null);
        }

        var body = FuzzBodies.Of(operation.Template) is { } sample && !values.OneIn(10) ? sample : values.From(operation.Body, caller.Ids);
        for (var i = values.OneIn(3) ? 0 : values.Below(4); i > 0; i--)
        {
            values.Change(body);
        }

        return (values.Write(body), values.OneIn(20) ? values.Of((string[])["text/plain", "application/json; charset=utf-16", "", "multipart/form-data"]) : "application/json");
    }
}
