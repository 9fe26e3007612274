using System.Globalization;
using Cube.Identity.Api;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Tokens;

/// <summary>Asks users who are logged in for their current password. A wrong one counts like a failed login.</summary>
internal sealed class PasswordCheck(LoginThrottle throttle, UserPasswordHasher passwords)
{
    /// <param name="user">Whose password it must be.</param>
    /// <param name="password">What the request holds.</param>
    /// <param name="member">The member of the request that holds it.</param>
    /// <param name="context">The request.</param>
    /// <param name="ct">Ends it before the password is checked.</param>
    /// <returns>The refusal, or null where it is the password.</returns>
    public async Task<JsonHttpResult<ManagementError>?> CheckAsync(User user, string? password, string member, HttpContext context, CancellationToken ct)
    {
        using var attempt = await throttle.BeginAsync(user, user.Username, context.Connection.RemoteIpAddress, ct);
        if (await attempt.GetRetryAfterAsync(ct) is { } wait)
        {
            return TooMany(context, wait);
        }

        if (password is not { Length: <= UserRules.MaxText } || !passwords.Verify(user, password))
        {
            await attempt.RecordFailureAsync();
            return ApiResults.Invalid($"{member} is not the current password.");
        }

        await attempt.RecordSuccessAsync();
        return null;
    }

    public static JsonHttpResult<ManagementError> TooMany(HttpContext context, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = Math.Clamp((int)Math.Ceiling(wait.TotalSeconds), 1, 60).ToString(CultureInfo.InvariantCulture);
        return ApiResults.Fail(StatusCodes.Status429TooManyRequests, "too_many_attempts", "Too many wrong passwords. Wait before you try again.");
    }
}
