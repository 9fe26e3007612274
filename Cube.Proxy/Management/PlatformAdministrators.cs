using System.Net;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Authentication;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;

namespace Cube.Proxy.Management;

/// <summary>Lets administrators of the platform, and nobody else, at what this proxy manages itself.</summary>
internal sealed class PlatformAdministrators(TokenVerifier tokens, IdentityClient identity)
{
    /// <param name="context">The request.</param>
    /// <param name="answer">Does what was asked, for the user with the id that it is given.</param>
    public async Task AnswerAsync(HttpContext context, Func<string, Task<ApiAnswer>> answer)
    {
        if (await CallerAsync(context) is not { } caller)
        {
            return;
        }

        if (!await IsOneAsync(caller, context.RequestAborted))
        {
            await ManagementError.Of(403).WriteAsync(context, StatusCodes.Status403Forbidden);
            return;
        }

        await WriteAsync(context, await answer(caller.UserId.ToString()));
    }

    /// <returns>Null where the client has got a 401 already.</returns>
    public async Task<Caller?> CallerAsync(HttpContext context)
    {
        if (BearerToken.Read(context.Request.Headers) is { Length: > 0 } token && await tokens.VerifyAsync(token, context.RequestAborted) is TokenVerdict.Valid { Caller: var caller })
        {
            return caller;
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        await ManagementError.Of(401).WriteAsync(context, StatusCodes.Status401Unauthorized);
        return null;
    }

    /// <summary>Asked of Identity each time: it is asked for rarely, and such changes are not to be decided by a cache. A personal access token is no administrator.</summary>
    public async Task<bool> IsOneAsync(Caller caller, CancellationToken ct)
    {
        if (caller.PatId is not null)
        {
            return false;
        }

        var (status, profile) = await identity.AskAsync("users/profile", caller.Token, ct);
        return status == HttpStatusCode.OK && profile.TryGetProperty("role", out var role) && role.ValueEquals("admin")
            && profile.TryGetProperty("id", out var id) && id.ValueEquals(caller.UserId.ToString());
    }

    public static async Task WriteAsync(HttpContext context, ApiAnswer answer)
    {
        if (answer.Code is { } code)
        {
            await new ManagementError(code, answer.Message!).WriteAsync(context, answer.Status);
            return;
        }

        context.Response.StatusCode = answer.Status;
        if (answer.Body is { } body)
        {
            await context.Response.WriteAsJsonAsync(body, VerdictJournal.Format, context.RequestAborted);
        }
    }
}
