//! Who calls, as the API's authorizer says. Without one nobody does.

use comanda_steps::intake::Caller;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

use super::answer::Problem;

/// Who calls: by a token, its issuer and subject; by AWS's signature, the user or the role, whatever its session is called.
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.
pub(super) fn of(request: &Request) -> Result<Caller, Problem> {
    let context = request.request_context_ref();
    let Some(RequestContext::ApiGatewayV2(context)) = context else { return Err(Problem::nobody()) };
    let authorizer = context.authorizer.as_ref().ok_or_else(Problem::nobody)?;
    if let Some(jwt) = &authorizer.jwt {
        let claim = |name| jwt.claims.get(name).map(String::as_str).filter(|claim| !claim.is_empty());
        let (Some(issuer), Some(subject)) = (claim("iss"), claim("sub")) else {
            return Err(Problem::nobody());
        };
        return Ok(Caller::of(issuer, subject));
    }
    let iam = authorizer.iam.as_ref().ok_or_else(Problem::nobody)?;
    // All users of an identity pool have one role: each is known by the pool's name for them.
    let identity = iam.cognito_identity.as_ref().and_then(|identity| identity.identity_id.as_deref());
    if let Some(identity) = identity.filter(|identity| !identity.is_empty()) {
        return Ok(Caller::of("cognito", identity));
    }
    let arn = iam.user_arn.as_deref().filter(|arn| !arn.is_empty());
    arn.map(|arn| Caller::of("aws", principal(arn))).ok_or_else(Problem::nobody)
}

/// The principal of an ARN: `arn:aws:sts::1:assumed-role/shop/i-0abc` is the role, in whichever session.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>.
fn principal(arn: &str) -> &str {
    match arn.rsplit_once('/') {
        Some((role, _)) if arn.contains(":assumed-role/") => role,
        _ => arn,
    }
}

#[cfg(test)]
mod tests {
    use super::principal;

    #[test]
    fn a_role_is_one_caller_in_all_its_sessions() {
        let role = "arn:aws:sts::123456789012:assumed-role/shop";
        assert_eq!(principal(&format!("{role}/i-0abc")), role);
        let user = "arn:aws:iam::123456789012:user/team/ana";
        assert_eq!(principal(user), user);
    }
}
